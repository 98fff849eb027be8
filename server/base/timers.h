#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace sluice::base {

// Callbacks at points in time, in the order of their times (equal times: of their making). Whoever owns it calls
// RunDue(); EventLoop does so in production, the simulation does so by hand. For the few timers that each consumer has;
// leases, of which there are as many as messages, have their own queue (core/lease_keeper.h).
//
// Loop only. `now()` is the time of the last Refresh(), so that one pass over many messages reads the clock once.
class Timers {
 public:
  using Callback = absl::AnyInvocable<void()>;
  // Names a pending callback; never reused. 0 is none.
  using Id = uint64_t;

  explicit Timers(const Clock* clock) : clock_(clock), now_(clock->Now()) {}
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  absl::Time now() const { return now_; }
  void Refresh() { now_ = clock_->Now(); }

  Id At(absl::Time when, Callback callback);
  Id After(absl::Duration delay, Callback callback) { return At(now_ + delay, std::move(callback)); }
  // Does nothing if it has run already.
  void Cancel(Id id);

  // When the next callback is due; InfiniteFuture if none is pending.
  absl::Time NextDue() const;
  // Refreshes, then runs what is due. Callbacks added meanwhile that are due run too.
  void RunDue();

 private:
  using Key = std::pair<absl::Time, Id>;

  const Clock* const clock_;
  absl::Time now_;
  Id last_id_ = 0;
  std::map<Key, Callback> pending_;
  std::map<Id, absl::Time> due_;
};

// One callback that can be re-armed; cancelled with its owner. Loop only.
class Timer {
 public:
  explicit Timer(Timers* timers) : timers_(timers) {}
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was set before.
  void SetAt(absl::Time when, Timers::Callback callback);
  void SetAfter(absl::Duration delay, Timers::Callback callback);
  void Cancel();
  bool pending() const { return id_ != 0; }

 private:
  Timers* const timers_;
  Timers::Id id_ = 0;
};

}  // namespace sluice::base
