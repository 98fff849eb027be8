#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sluice::dev {

// What the demo's messages hold: "42 ......", the publisher's number, then filling up to the size asked for. By the
// numbers the app tells what it handled, and what twice.
inline constexpr size_t kLeastPayload = 24;  // room for every number

std::string MakePayload(uint64_t number, size_t size);
// Nothing: somebody else's message.
std::optional<uint64_t> NumberOf(absl::string_view payload);

}  // namespace sluice::dev
