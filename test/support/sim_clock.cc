#include "test/support/sim_clock.h"

#include <algorithm>

namespace sluice::test {

absl::Time SimLoop::NextDue() const {
  absl::Time next = timers_.NextDue();
  for (const SimProcess* process : processes_) {
    if (!process->stopped_) next = std::min(next, process->timers_.NextDue());
  }
  return next;
}

bool SimLoop::Step(absl::Time limit) {
  const absl::Time next = NextDue();
  if (next == absl::InfiniteFuture() || next > limit) return false;
  clock_.AdvanceTo(next);
  for (SimProcess* process : processes_) {
    if (!process->stopped_) process->timers_.Refresh();
  }
  timers_.RunDue();
  for (SimProcess* process : processes_) {
    if (!process->stopped_) process->timers_.RunDue();
  }
  return true;
}

void SimLoop::RunUntil(absl::Time time) {
  while (Step(time)) {
  }
  clock_.AdvanceTo(time);
  timers_.Refresh();
}

SimProcess::~SimProcess() { std::erase(loop_->processes_, this); }

void SimProcess::Continue() {
  stopped_ = false;
  timers_.Refresh();
}

}  // namespace sluice::test
