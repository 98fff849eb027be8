/// @file
/// The consuming of one consumer.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "sluice/options.h"

namespace sluice {

namespace internal {
class Session;
class Subscription;
}  // namespace internal

/// The consuming of one consumer, until it is drained or stopped. Reconnects for ever, unless the daemon says that
/// there is no point (unknown consumer, bad request, no permission, not a Sluice daemon). Methods are thread-safe; a
/// handler or hook must not call those that wait. Movable; destroying it is Stop() and waits for the handlers that run.
class Consumption {
 public:
  Consumption(Consumption&&) noexcept;
  Consumption& operator=(Consumption&&) noexcept;
  ~Consumption();

  /// Ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. Waits for the end, at
  /// most 5 s longer than the timeout. A handler that still runs then is cancelled.
  /// @param timeout  the daemon NAKs what is still held after it; absent: the daemon's `drain.timeout`.
  DrainReport Drain(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// The same without waiting: for handlers, hooks, and loops over Messages.
  void StartDrain(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  /// Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the
  /// daemon knows, 5 s at most.
  void Stop();

  /// Waits until it has ended. OK after Drain() and Stop(); else why the daemon refused.
  grpc::Status Closed();
  bool is_closed() const;

  /// Of the drain this app asked for; valid once it is closed.
  DrainReport drain_report() const;
  State state() const;
  Stats stats() const;
  const std::string& client_id() const;

  /// @cond INTERNAL
  explicit Consumption(std::unique_ptr<internal::Subscription> subscription);
  internal::Session& session() const;
  /// @endcond

 private:
  std::unique_ptr<internal::Subscription> subscription_;
};

}  // namespace sluice
