#pragma once

#include <vector>

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

class SimProcess;

// The clock and the queue of everything that is to happen in a simulation: core's timers and the model's alike, but for
// what SimProcess keeps apart.
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
  friend class SimProcess;

  absl::Time NextDue() const;

  SimClock clock_;
  base::Timers timers_;
  std::vector<SimProcess*> processes_;
};

// Timers of something that can be stopped for a while, as by SIGSTOP: its time goes on, and it does not notice. Made
// and destroyed while the loop does not run them.
class SimProcess {
 public:
  explicit SimProcess(SimLoop* loop) : loop_(loop), timers_(&loop->clock_) { loop->processes_.push_back(this); }
  ~SimProcess();
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  base::Timers& timers() { return timers_; }
  bool stopped() const { return stopped_; }
  void Stop() { stopped_ = true; }
  void Continue();

 private:
  friend class SimLoop;

  SimLoop* const loop_;
  base::Timers timers_;
  bool stopped_ = false;
};

}  // namespace sluice::test
