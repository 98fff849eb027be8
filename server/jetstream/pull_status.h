#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "core/message_source.h"

namespace sluice::jetstream {

// What a message without payload on the inbox of pull `pull_id` says; nullopt if its header block has no status.
std::optional<core::PullStatus> ParsePullStatus(absl::string_view header_block, uint64_t pull_id);

// The number behind the last dot of the inbox subject that a pull is answered on; 0 if there is none.
uint64_t PullIdOf(absl::string_view subject);

}  // namespace sluice::jetstream
