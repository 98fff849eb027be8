#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/message_source.h"

namespace sluice::jetstream {

// What a header-only message on the inbox of pull `pull_id` says. `status` is as in StatusOf(): "408 Request Timeout".
core::PullStatus ClassifyPullStatus(absl::string_view status, uint64_t pull_id);

// The number behind the last dot of the inbox subject that a pull is answered on; 0 if there is none.
uint64_t PullIdOf(absl::string_view subject);

}  // namespace sluice::jetstream
