#include "core/app_health.h"

#include "gtest/gtest.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

class AppHealthTest : public testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) health_.OnFailure();
  }

  test::SimLoop loop_;
  int changes_ = 0;
  int probes_due_ = 0;
  AppHealth health_{&loop_.timers(), {3, absl::Seconds(10)}, [this] { ++changes_; }, [this] { ++probes_due_; }};
  Delivery delivery_;
};

TEST_F(AppHealthTest, FailuresInARowWithinTheWindowBeginTheProbing) {
  Fail(2);
  EXPECT_FALSE(health_.probing());
  Fail(1);
  EXPECT_TRUE(health_.probing());
  EXPECT_EQ(changes_, 1);
}

TEST_F(AppHealthTest, ASuccessBetweenThemBeginsTheRowAnew) {
  Fail(2);
  health_.OnSuccess();
  Fail(2);
  EXPECT_FALSE(health_.probing());
  EXPECT_EQ(changes_, 0);
}

TEST_F(AppHealthTest, FailuresFarApartDoNotCount) {
  Fail(2);
  loop_.RunFor(absl::Seconds(11));
  Fail(2);
  EXPECT_FALSE(health_.probing());
  Fail(1);
  EXPECT_TRUE(health_.probing());
}

TEST_F(AppHealthTest, OneProbeAtATimeWithAPauseBetweenThem) {
  Fail(3);
  EXPECT_FALSE(health_.may_probe()) << "not at once";
  loop_.RunFor(AppHealth::kBetweenProbes);
  EXPECT_EQ(probes_due_, 1);
  EXPECT_TRUE(health_.may_probe());
  health_.BeginProbe(&delivery_);
  EXPECT_FALSE(health_.may_probe());
  Delivery another;
  health_.OnLeft(&another);
  EXPECT_FALSE(health_.may_probe());
  health_.OnFailure();
  health_.OnLeft(&delivery_);
  EXPECT_FALSE(health_.may_probe());
  loop_.RunFor(AppHealth::kBetweenProbes);
  EXPECT_EQ(probes_due_, 2);
  EXPECT_TRUE(health_.may_probe());
  EXPECT_EQ(changes_, 1);
}

TEST_F(AppHealthTest, OneSuccessEndsIt) {
  Fail(3);
  health_.OnSuccess();
  EXPECT_FALSE(health_.probing());
  EXPECT_EQ(changes_, 2);
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(probes_due_, 0);
  Fail(2);
  EXPECT_FALSE(health_.probing()) << "the row begins anew";
}

TEST_F(AppHealthTest, IsOffByDefault) {
  AppHealth off(
      &loop_.timers(), {}, [] { FAIL(); }, [] { FAIL(); });
  for (int i = 0; i < 1000; ++i) off.OnFailure();
  EXPECT_FALSE(off.probing());
}

}  // namespace
}  // namespace sluice::core
