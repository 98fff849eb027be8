#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/message.h"

namespace sluice::core {

// Which messages are set aside instead of being tried again, and where.
struct DeadLetterPolicy {
  std::string subject;          // where they are published; empty: there are no dead letters
  bool on_term = false;         // what an app terminates is one too
  uint64_t max_deliveries = 0;  // what was delivered more often is one before any app sees it again; 0: no limit

  bool enabled() const { return !subject.empty(); }
};

// Why a message became a dead letter; DeadLetterReasonName() is what stands in its header.
enum class DeadLetterReason : uint8_t {
  kFailed,         // an app's NAK at or past redelivery.max_attempts
  kTerminated,     // an app's TERM, with on_term
  kMaxDeliveries,  // delivered more than max_deliveries times, and never settled
  kLastDelivery,   // failed, or was left over by a drain, on its last delivery: JetStream would give it up
  kGivenUp,        // JetStream has given it up (the MAX_DELIVERIES advisory)
};
absl::string_view DeadLetterReasonName(DeadLetterReason reason);  // "failed", ...

// What is told of a dead letter beside its message.
struct DeadLetterFacts {
  DeadLetterReason reason = DeadLetterReason::kFailed;
  std::string detail;  // the app's own reason of its TERM; empty: none
  uint64_t attempts = 0;
  absl::string_view stream;
  absl::string_view durable;
  absl::Time first_attempt;  // that this daemon knows of; InfinitePast: it knows of none
  absl::Time last_attempt;
};

// A message to be published. `data` is a view of the message it was made from.
struct DeadLetter {
  std::string subject;
  std::vector<std::pair<std::string, std::string>> headers;
  absl::string_view data;
  uint64_t stream_sequence = 0;  // of the message it was made from
  DeadLetterReason reason = DeadLetterReason::kFailed;
};

// The headers of a dead letter. Those of the message are all there; a name that JetStream would act upon ("Nats-..."),
// or that is one of these, is put behind kOriginal, so that an original Nats-Msg-Id or Nats-Rollup does nothing to the
// stream of the dead letters.
namespace dead_letter_header {
inline constexpr char kPrefix[] = "Sluice-Dead-Letter-";
inline constexpr char kReason[] = "Sluice-Dead-Letter-Reason";
inline constexpr char kDetail[] = "Sluice-Dead-Letter-Detail";
inline constexpr char kAttempts[] = "Sluice-Dead-Letter-Attempts";
inline constexpr char kStream[] = "Sluice-Dead-Letter-Stream";
inline constexpr char kConsumer[] = "Sluice-Dead-Letter-Consumer";
inline constexpr char kSequence[] = "Sluice-Dead-Letter-Sequence";
inline constexpr char kSubject[] = "Sluice-Dead-Letter-Subject";
inline constexpr char kTimestamp[] = "Sluice-Dead-Letter-Timestamp";         // when the stream stored the message
inline constexpr char kFirstAttempt[] = "Sluice-Dead-Letter-First-Attempt";  // as all times here: RFC 3339, UTC
inline constexpr char kLastAttempt[] = "Sluice-Dead-Letter-Last-Attempt";
inline constexpr char kOriginal[] = "Sluice-Original-";
inline constexpr char kRedrivenFrom[] = "Sluice-Redriven-From";  // "<stream>:<sequence>" of the dead letter it was
inline constexpr char kMsgId[] = "Nats-Msg-Id";
}  // namespace dead_letter_header

// The `Nats-Msg-Id` of the dead letter: the same each time this message of this consumer becomes one, whichever daemon
// publishes it. The time at which the message was stored tells it from one of the same sequence in a stream that was
// made anew.
std::string DeadLetterId(absl::string_view stream, absl::string_view durable, uint64_t stream_sequence,
                         int64_t timestamp_ns);

DeadLetter MakeDeadLetter(const std::string& subject, const Message& message, const DeadLetterFacts& facts);

// The headers of the message that a dead letter was made from, for publishing it once more. What JetStream would act
// upon stays behind kOriginal, but for Nats-TTL: a Nats-Msg-Id would drop it as a duplicate, an expectation
// (Nats-Expected-...) is about another time, and a Nats-Rollup would purge the stream.
std::vector<std::pair<std::string, std::string>> OriginalHeaders(const std::vector<Header>& dead_letter);

}  // namespace sluice::core
