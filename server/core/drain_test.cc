#include "core/drain.h"

#include <gtest/gtest.h>

#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

TEST(DrainTest, TakesItsPhasesInOrderAndTimesThem) {
  test::SimLoop loop;
  Drain drain(&loop.timers(), "orders");
  EXPECT_FALSE(drain.active());
  for (DrainPhase phase : {DrainPhase::kQuiescing, DrainPhase::kFencing, DrainPhase::kReleasing, DrainPhase::kSettling,
                           DrainPhase::kConfirming, DrainPhase::kClosed}) {
    drain.Enter(phase);
    EXPECT_EQ(drain.phase(), phase);
    EXPECT_EQ(drain.nak_would_bounce(), phase == DrainPhase::kQuiescing || phase == DrainPhase::kFencing);
    loop.RunFor(absl::Milliseconds(10));
    loop.timers().Refresh();
  }
  EXPECT_EQ(drain.report().phases[static_cast<int>(DrainPhase::kSettling)], absl::Milliseconds(10));
  EXPECT_EQ(drain.report().total(), absl::Milliseconds(50));
}

TEST(DrainDeathTest, SkippingAPhaseIsABug) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  test::SimLoop loop;
  Drain drain(&loop.timers(), "orders");
  EXPECT_DEATH(drain.Enter(DrainPhase::kReleasing), "phases in order");
}

}  // namespace
}  // namespace sluice::core
