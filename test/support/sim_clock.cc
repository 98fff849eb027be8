#include "test/support/sim_clock.h"

namespace sluice::test {

bool SimLoop::Step(absl::Time limit) {
  const absl::Time next = timers_.NextDue();
  if (next == absl::InfiniteFuture() || next > limit) return false;
  clock_.AdvanceTo(next);
  timers_.RunDue();
  return true;
}

void SimLoop::RunUntil(absl::Time time) {
  while (Step(time)) {
  }
  clock_.AdvanceTo(time);
  timers_.Refresh();
}

}  // namespace sluice::test
