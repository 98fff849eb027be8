#include "base/clock.h"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(SteadyClockTest, StartsAtWallTimeAndNeverGoesBack) {
  const absl::Time before = absl::Now();
  SteadyClock clock;
  absl::Time last = clock.Now();
  EXPECT_GE(last, before);
  EXPECT_LE(last - before, absl::Minutes(1));
  for (int i = 0; i < 1000; ++i) {
    const absl::Time now = clock.Now();
    EXPECT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace sluice::base
