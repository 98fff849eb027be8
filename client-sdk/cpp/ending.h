#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>

#include "sluice/state.h"

namespace sluice::internal {

// How a consumption is to end, and how long each of its streams is waited for: the deadlines, and what of the app's
// wish the daemon has been told. No threads, no I/O; guarded by the Session's mutex.
//
// A wish only grows. While there is a stream the daemon is told it; without one a drain has nothing to wait for but
// what the last stream held, and nobody keeps that for longer than the resume window.
class Ending {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;
  enum class Wish : uint8_t { kServe, kDrain, kStop };
  enum class Step : uint8_t { kNothing, kDrain, kHalfClose };

  // A daemon that has not answered `Opened` by then is taken for hung.
  static constexpr auto kOpenTimeout = std::chrono::seconds(10);
  // Beyond what a drain may take by its own deadline: the daemon's final phases and the way back.
  static constexpr auto kDrainGrace = std::chrono::seconds(5);
  // For a drain without a timeout of its own, until `Draining` tells the daemon's.
  static constexpr auto kDrainDefault = std::chrono::seconds(60);
  static constexpr auto kStopTimeout = std::chrono::seconds(5);
  // The daemon's default: it has given everything back by then.
  static constexpr auto kResumeWindow = std::chrono::seconds(5);
  // A stream that lasted this long was a good one: the next is tried without waiting.
  static constexpr auto kLived = std::chrono::seconds(1);
  static constexpr auto kForever = std::chrono::hours(24 * 365);

  // --- what the app wants ---
  void Drain(std::optional<std::chrono::milliseconds> timeout);
  void Stop() { wish_ = Wish::kStop; }
  Wish wish() const { return wish_; }
  const std::optional<std::chrono::milliseconds>& timeout() const { return timeout_; }  // of the drain
  const DrainReport& report() const { return report_; }

  // --- what happens to the stream ---
  void OnConnecting(Time now);
  void OnOpened(Time now);
  // The daemon, or this app, drains: verdicts count until `deadline`.
  void OnDraining(WallTime deadline, WallTime wall_now, Time now);
  void OnDrained(const DrainReport& report);
  void OnEnded(Time now);

  // --- what is to be done ---
  // There is something that the daemon has not been told.
  bool due() const { return wish_ > told_; }
  // What to tell it now. A drain waits for `Opened`.
  Step Tell(Time now);
  bool drain_is_told() const { return open_ && told_ == Wish::kDrain; }
  // When to cancel the stream; then OnCancelled().
  Time give_up() const { return give_up_; }
  void OnCancelled(Time now);
  // After a stream has ended with `end`: there is no sense in another.
  bool IsLast(const grpc::Status& end, Time now) const;
  // When to try again, that would do so after `backoff`.
  Time RetryAt(std::chrono::milliseconds backoff, Time now) const;

  // --- what is so ---
  bool was_open() const { return was_open_; }  // the stream that has ended
  bool lived() const { return was_open_ && last_connected_ - opened_at_ >= kLived; }
  // Whether a daemon that died since can have given back nothing of what the last stream held: not by the end of a
  // drain, and not by the end of its resume window.
  bool StillKept(WallTime wall_now, Time now) const;
  // Of the drain that runs.
  const std::optional<WallTime>& deadline() const { return deadline_; }

 private:
  bool NothingToAwait(Time now) const;

  Wish wish_ = Wish::kServe;
  std::optional<std::chrono::milliseconds> timeout_;
  DrainReport report_;

  // The current stream.
  Wish told_ = Wish::kServe;
  Time give_up_{};
  bool open_ = false;
  bool was_open_ = false;

  // The last one that was opened; none: all false.
  bool opened_ = false;
  Time opened_at_{};
  Time last_connected_{};
  std::optional<WallTime> deadline_;
  std::optional<DrainReport> drained_;  // the daemon has given back what was left
};

}  // namespace sluice::internal
