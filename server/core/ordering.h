#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/message.h"

namespace sluice::core {

// Which messages of a consumer may be with the apps at the same time.
enum class Ordering : uint8_t {
  kNone,  // any
  kKey,   // one of each key, in stream order; different keys in parallel. Holds within this daemon
  // The same in the whole fleet, of which one daemon at a time is active (pin.h). Without a KeySelector all messages
  // are one key.
  kExclusive,
};

// Where a message's ordering key stands: in a token of its subject, or in a header.
struct KeySelector {
  std::optional<int32_t> subject_token;  // from 1; negative: from the end, -1 is the last
  std::string header;                    // its exact name; the first value counts; empty: not in a header

  // A view of the message. Empty if the message has no such token or header: all those are one key.
  absl::string_view KeyOf(const Message& message) const;
};

}  // namespace sluice::core
