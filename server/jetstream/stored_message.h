#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/message.h"

namespace sluice::jetstream {

// A message as its stream has it, from the answer to STREAM.MSG.GET. It has no `reply` and no consumer's numbers.
// NOT_FOUND: there is none · UNAVAILABLE, INTERNAL: something else is wrong, and what.
absl::StatusOr<core::Message> ParseStoredMessage(absl::string_view text);

}  // namespace sluice::jetstream
