#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sluice::core {

enum class Verdict : uint8_t { kAck, kNak, kTerm, kInProgress };

// What is to become of a message.
struct Settlement {
  Verdict verdict = Verdict::kAck;
  absl::Duration nak_delay = absl::ZeroDuration();  // kNak: not before this long from now
  absl::string_view term_reason;                    // kTerm: for people
  // Of ack_policy: all: the consumer sequence that it bears in place of its message's (ack_floor.h); 0: its own.
  uint64_t as_consumer_sequence = 0;
};

// One verdict of an app for many deliveries. Views of the request it came in.
struct SettleRun {
  absl::Span<const uint64_t> ids;
  Settlement settlement;
};

// Why, for people.
constexpr char kAckWaitOver[] = "the ack wait was over";                                           // LATE
constexpr char kNotConfirmedInDrain[] = "the drain is over, and the server has not confirmed it";  // FAILED

constexpr char kAckWaitOverUnstored[] =
    "the ack wait was over before its dead letter was stored; JetStream delivers it again";  // FAILED

// What an app is told of a verdict. The values are those of sluice.v1.SettleResult.Outcome.
enum class SettleOutcome : uint8_t { kConfirmed = 1, kLate = 2, kNotHeld = 3, kFailed = 4 };

}  // namespace sluice::core
