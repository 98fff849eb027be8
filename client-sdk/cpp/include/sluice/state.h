/// @file
/// What a consumption tells of itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

/// What stands between the app and its messages.
enum class State : uint8_t {
  kConnecting,       ///< no stream to the daemon; retried for ever
  kServing,          ///< all is well
  kNatsDown,         ///< the daemon is not connected to NATS: work on, verdicts are kept
  kConsumerMissing,  ///< the stream or consumer does not exist; the daemon retries
  kConsumerInvalid,  ///< it exists, but not as configured
  kPaused,           ///< paused on the server
  kPinnedElsewhere,  ///< another pod of the fleet is active, this one stands by
  kProbing,          ///< the apps failed too often in a row: one message at a time until one is acked
  kClosed,           ///< ended; its `detail` says why
};
const char* ToString(State state);  ///< "connecting", "serving", "nats down", ...

/// A drain has begun.
struct Draining {
  bool by_daemon = false;  ///< it ends, the client then looks for its successor; false: this app asked for it
  std::chrono::system_clock::time_point deadline{};  ///< verdicts count until then
};

/// What became of the messages that were outstanding when a drain began; see sluice.v1.DrainReport.
struct DrainReport {
  bool completed = false;  ///< the daemon has confirmed the drain; false: it was lost, or silent, and the counts are 0
  bool deadline_exceeded = false;  ///< messages were still held at the deadline, and were NAKed
  uint64_t awaited = 0;            ///< were with the app when it began
  uint64_t acked = 0;              ///< of those: acked
  uint64_t terminated = 0;         ///< of those: terminated
  uint64_t naked = 0;              ///< of those: NAKed, by the app or by the daemon at the deadline
  uint64_t expired = 0;            ///< of those: their lease had ended, JetStream delivers them again
  uint64_t late = 0;               ///< verdicts that came after the lease had ended
  uint64_t released = 0;           ///< no app had seen them: NAKed at once
  uint64_t unsettled = 0;          ///< could not be settled
  uint64_t dead_lettered = 0;      ///< of those awaited: set aside as dead letters
  std::vector<std::pair<std::string, std::chrono::microseconds>> phases{};  ///< how long each took, in order
};

/// Counts since the consumption began.
struct Stats {
  uint64_t received = 0;    ///< messages delivered, without those that rejoined a running handler
  uint64_t acked = 0;       ///< verdicts given, whether or not they could still be sent
  uint64_t naked = 0;       ///< likewise
  uint64_t terminated = 0;  ///< likewise
  uint64_t thrown = 0;      ///< handlers that threw; their messages are in `naked`
  uint64_t in_flight = 0;   ///< received and not settled yet
  uint64_t streams = 0;     ///< opened so far: 1 + reconnects
  uint64_t lost = 0;        ///< held when their stream was lost, and not resumed
  uint64_t refused = 0;     ///< tokens that a daemon did not take, as their message was settled or is with another app
  uint64_t rejoined = 0;    ///< delivered again while at work or after their verdict: not handled twice
  uint64_t late = 0;        ///< verdicts the daemon got after the lease had ended
  uint64_t not_held = 0;    ///< verdicts the daemon knew no message for
  uint64_t failed = 0;      ///< verdicts that could not be confirmed

  bool operator==(const Stats&) const = default;
};

}  // namespace sluice
