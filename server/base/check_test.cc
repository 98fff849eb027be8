#include "base/check.h"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(CheckDeathTest, SaysWhatWasBroken) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(SLUICE_CHECK(1 + 1 == 3, "sums are right"), "check_test.cc:.*sums are right.*1 \\+ 1 == 3");
}

TEST(CheckTest, IsSilentWhereTheRuleHolds) { SLUICE_CHECK(1 + 1 == 2, "sums are right"); }

}  // namespace
}  // namespace sluice::base
