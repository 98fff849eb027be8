#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/support/status.h>

namespace grpc {
class ChannelCredentials;
}

namespace sluice {

struct ClientOptions {
  // Of the daemon, as gRPC spells it: `unix:///run/sluice/sluice.sock`, `localhost:7422`.
  // Default: $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock.
  std::string address{};

  // Names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not share one. At
  // most 128 bytes. Default: host-pid-random.
  std::string client_id{};

  // Default: none, as fits a socket in the same pod.
  std::shared_ptr<grpc::ChannelCredentials> credentials{};

  // Waiting times between attempts to connect; they double from the first to the longest, shortened at random by up to
  // a quarter. A stream that had lived is retried at once first.
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds longest_retry{5000};
};

// How much the app is willing to hold at once: running, and waiting in the client for a handler.
struct Credit {
  // At most 1,048,576. 0: what the handlers finish in 250 ms, at least 4 per handler (and 8), at most 4,096; so quick
  // ones never wait for the daemon, and slow ones finish what they hold within a drain.
  uint32_t messages = 0;
  uint64_t bytes = 0;  // of subjects, headers and data; 0: the daemon's default, 8 MiB; at most 1 GiB
};

// What stands between the app and its messages.
enum class State {
  kConnecting,       // no stream to the daemon; retried for ever
  kServing,          // all is well
  kNatsDown,         // the daemon is not connected to NATS: work on, verdicts are kept
  kConsumerMissing,  // the stream or consumer does not exist; the daemon retries
  kConsumerInvalid,  // it exists, but not as configured
  kPaused,           // paused on the server
  kPinnedElsewhere,  // another pod of the fleet is active, this one stands by
  kProbing,          // the apps failed too often in a row: one message at a time until one is acked
  kClosed,           // ended; `detail` says why
};
const char* ToString(State state);

// What became of the messages that were outstanding when a drain began; see sluice.v1.DrainReport.
struct DrainReport {
  bool completed = false;  // the daemon has confirmed the drain; false: it was lost, or silent, and the counts are 0
  bool deadline_exceeded = false;  // messages were still held at the deadline, and were NAKed
  uint64_t awaited = 0;
  uint64_t acked = 0;
  uint64_t terminated = 0;
  uint64_t naked = 0;
  uint64_t expired = 0;
  uint64_t late = 0;
  uint64_t released = 0;
  uint64_t unsettled = 0;
  uint64_t dead_lettered = 0;
  std::vector<std::pair<std::string, std::chrono::microseconds>> phases{};
};

struct Draining {
  bool by_daemon = false;  // it ends, the client then looks for its successor; false: this app asked for it
  std::chrono::system_clock::time_point deadline{};  // verdicts count until then
};

struct ConsumeOptions {
  // Handlers that run at once, each on a thread of its own; 1..10,000. 1: one after the other, in the order of
  // delivery. Not used by Messages, where the caller's threads do the work.
  int concurrency = 1;

  Credit credit{};

  // Most messages in one frame, 1..256. 0: 256.
  uint32_t max_batch = 0;

  // When the app drains, what waits in the client is handed back (NAK) instead of being worked off.
  bool hand_back_on_drain = false;

  // How many verdicts are remembered, in case their daemon dies before JetStream knows: if such a message comes again,
  // it gets the same verdict without being handled twice. At least `credit.messages` are.
  size_t remembered_verdicts = 4096;

  // Asks for a token with each message, by which it is settled through the daemon's successor if the daemon is killed:
  // what the handlers have done by then is not done again. Costs the daemon half a microsecond, and either
  // side some 100 bytes a message.
  bool resumable = true;

  // Hooks. Called one at a time, on the consumption's own thread, except that `on_error` about a handler that threw is
  // called on that handler's thread. While one runs, no news of the stream is read: be quick.
  std::function<void(State, const std::string& detail)> on_state{};
  std::function<void(const Draining&)> on_draining{};
  std::function<void(const DrainReport&)> on_drained{};
  // A handler threw (INTERNAL); verdicts were too late (DEADLINE_EXCEEDED), unknown to the daemon (NOT_FOUND) or could
  // not be confirmed (UNAVAILABLE); or the consumption has ended for good.
  std::function<void(const grpc::Status&)> on_error{};
};

// Counts since the consumption began.
struct Stats {
  uint64_t received = 0;  // messages delivered, without those that rejoined a running handler
  uint64_t acked = 0;     // verdicts given, whether or not they could still be sent
  uint64_t naked = 0;
  uint64_t terminated = 0;
  uint64_t thrown = 0;     // handlers that threw; their messages are in `naked`
  uint64_t in_flight = 0;  // received and not settled yet
  uint64_t streams = 0;    // opened so far: 1 + reconnects
  uint64_t lost = 0;       // held when their stream was lost, and not resumed
  uint64_t refused = 0;    // tokens that a daemon did not take, as their message was settled or is with another app
  uint64_t rejoined = 0;   // delivered again while at work or after their verdict: not handled twice
  uint64_t late = 0;       // verdicts the daemon got after the lease had ended
  uint64_t not_held = 0;   // verdicts the daemon knew no message for
  uint64_t failed = 0;     // verdicts that could not be confirmed
};

}  // namespace sluice
