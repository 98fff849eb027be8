#pragma once

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/timers.h"

namespace sluice::test {

// Time as a number that the test moves; it starts at a round date, so that a trace reads well.
class SimClock final : public base::Clock {
 public:
  absl::Time Now() const override { return now_; }
  // Only forward.
  void AdvanceTo(absl::Time time) { now_ = time > now_ ? time : now_; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
};

// The clock and the one queue of everything that is to happen in a simulation: core's timers and the model's alike.
class SimLoop {
 public:
  SimLoop() : timers_(&clock_) {}

  base::Timers& timers() { return timers_; }
  absl::Time now() const { return clock_.Now(); }

  // Moves the clock to the next callback and runs what is due then; false if that is later than `limit`.
  bool Step(absl::Time limit = absl::InfiniteFuture());
  // Runs all that is due until `time`, and leaves the clock there.
  void RunUntil(absl::Time time);
  void RunFor(absl::Duration duration) { RunUntil(now() + duration); }

 private:
  SimClock clock_;
  base::Timers timers_;
};

}  // namespace sluice::test
