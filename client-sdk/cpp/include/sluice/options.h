/// @file
/// What an app chooses. All of it has a default.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <grpcpp/support/status.h>

#include "sluice/key.h"
#include "sluice/log.h"
#include "sluice/state.h"
#include "sluice/trace.h"

namespace grpc {
class ChannelCredentials;
}

namespace sluice {

struct ClientOptions {
  /// Of the daemon, as gRPC spells it: `unix:///run/sluice/sluice.sock`, `localhost:7422`.
  /// Default: $SLUICE_ADDRESS, else unix:///run/sluice/sluice.sock.
  std::string address{};

  /// Names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not share one. At
  /// most 128 bytes. Default: host-pid-random.
  std::string client_id{};

  /// Default: none, as fits a socket in the same pod.
  std::shared_ptr<grpc::ChannelCredentials> credentials{};

  /// Waiting time before the second attempt to connect; doubles up to `longest_retry`, shortened at random by up to a
  /// quarter. A stream that had lived for a second is retried at once first.
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds longest_retry{5000};  ///< see `first_retry`

  /// The app's own logger. Default: warnings and errors to standard error. nullptr: none.
  Log log = LogToStderr;
};

/// How much the app is willing to hold at once: running, and waiting in the client for a handler.
struct Credit {
  /// At most 1,048,576. 0: no more than keeps the handlers at work, which is what they finish in 50 to 250 ms; at least
  /// 4 per handler (and 8), at most 4,096. Not used by a Fetcher.
  uint32_t messages = 0;
  uint64_t bytes = 0;  ///< of subjects, headers and data; 0: the daemon's default, 8 MiB; at most 1 GiB
};

struct ConsumeOptions {
  /// Handlers that run at once, each on a thread of its own; 1..10,000. 1: one after the other, in the order of
  /// delivery. Not used by Messages and Fetcher, where the caller's threads do the work.
  int concurrency = 1;

  Credit credit{};  ///< how much may be held at once

  /// Most messages in one frame, and in one Batch, 1..256. 0: 256.
  uint32_t max_batch = 0;

  /// Messages of one key never run at once here, and start in the order of delivery: the next one when the handler has
  /// returned and the verdict was given. Default: the daemon's key, with `ordering: key`. Not used by a Fetcher.
  Key key{};

  /// When the app drains, what waits in the client is handed back (NAK) instead of being worked off.
  bool hand_back = false;

  /// Has each verdict confirmed by the NATS server: Message::Confirm(), `on_outcome`. About half the rate.
  bool confirm = false;

  /// Asks for a token with each message, by which it is settled through the daemon's successor if the daemon is killed:
  /// what the handlers have done by then is not done again. Costs the daemon half a microsecond, and either
  /// side some 100 bytes a message.
  bool resumable = true;

  /// How many verdicts are remembered, in case their daemon dies before JetStream knows: if such a message comes again,
  /// it gets the same verdict without being handled twice. At least `credit.messages` are, and as many again in doubt.
  size_t remembered = 4096;

  // Hooks. Called one at a time, on the consumption's own thread, except that `on_error` about a handler that threw is
  // called on that handler's thread. While one runs, no news of the stream is read: be quick. One that throws is
  // logged, and otherwise ignored.

  /// On each change, and on each failed attempt to connect.
  std::function<void(State, const std::string& detail)> on_state{};
  std::function<void(const Draining&)> on_draining{};    ///< no more messages come
  std::function<void(const DrainReport&)> on_drained{};  ///< of the app's drain, or the daemon's
  /// A handler threw (INTERNAL); verdicts were too late (DEADLINE_EXCEEDED), unknown to the daemon (NOT_FOUND) or could
  /// not be confirmed (UNAVAILABLE); or the consumption has ended for good.
  std::function<void(const grpc::Status&)> on_error{};
  /// With `confirm`: what became of each verdict, by the stream sequence of its message. May be called on the thread
  /// that settles, for a message which the daemon no longer holds.
  std::function<void(uint64_t stream_sequence, Outcome)> on_outcome{};
  /// For metrics: the counts, once a second while they change, and at the end.
  std::function<void(const Stats&)> on_stats{};
  /// Called on a handler's thread before it runs, once for each message; not for batches. One that throws is logged,
  /// and the handler runs without it.
  TraceScope trace{};
};

}  // namespace sluice
