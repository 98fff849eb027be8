#include "core/redelivery.h"

#include "gtest/gtest.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;
using absl::ZeroDuration;

constexpr int64_t kUnlimited = -1;

class RedeliveryTest : public testing::Test {
 protected:
  absl::Duration After(uint64_t attempt, absl::Duration asked = ZeroDuration()) {
    return Redelivery(&loop_.timers(), policy_, 1).DelayAfter(attempt, asked, kUnlimited);
  }

  test::SimLoop loop_;
  RedeliveryPolicy policy_;
};

TEST_F(RedeliveryTest, WithoutAPolicyItIsAtOnceAndForEver) {
  EXPECT_EQ(After(1), ZeroDuration());
  EXPECT_EQ(After(1000), ZeroDuration());
  EXPECT_FALSE(Redelivery(&loop_.timers(), policy_, 1).IsLast(1'000'000));
}

TEST_F(RedeliveryTest, TheLastStepOfABackoffIsForAllLaterAttempts) {
  policy_.backoff = {Seconds(1), Seconds(5), Seconds(30)};
  EXPECT_EQ(After(1), Seconds(1));
  EXPECT_EQ(After(2), Seconds(5));
  EXPECT_EQ(After(3), Seconds(30));
  EXPECT_EQ(After(99), Seconds(30));
}

TEST_F(RedeliveryTest, GrowsByItsFactorUpToItsMaximum) {
  policy_.initial = Milliseconds(500);
  policy_.factor = 3;
  policy_.max = Seconds(10);
  policy_.jitter = 0;
  EXPECT_EQ(After(1), Milliseconds(500));
  EXPECT_EQ(After(2), Milliseconds(1500));
  EXPECT_EQ(After(3), Milliseconds(4500));
  EXPECT_EQ(After(4), Seconds(10));
  EXPECT_EQ(After(1'000'000), Seconds(10));
}

TEST_F(RedeliveryTest, JitterStaysWithinItsPartAndTheMaximum) {
  policy_.initial = Seconds(10);
  policy_.jitter = 0.5;
  policy_.max = Seconds(12);
  Redelivery redelivery(&loop_.timers(), policy_, 7);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = ZeroDuration();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration delay = redelivery.DelayAfter(1, ZeroDuration(), kUnlimited);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_GE(least, Seconds(5));
  EXPECT_LT(least, Seconds(6));
  EXPECT_EQ(most, Seconds(12));
}

TEST_F(RedeliveryTest, TheAppsOwnDelayWins) {
  policy_.backoff = {Seconds(30)};
  EXPECT_EQ(After(1, Seconds(2)), Seconds(2));
}

TEST_F(RedeliveryTest, TheLastAttemptIsTheOneOfThatNumberAndAllBeyond) {
  policy_.max_attempts = 3;
  const Redelivery redelivery(&loop_.timers(), policy_, 1);
  EXPECT_FALSE(redelivery.IsLast(2));
  EXPECT_TRUE(redelivery.IsLast(3));
  EXPECT_TRUE(redelivery.IsLast(4)) << "releases may have counted";
}

TEST_F(RedeliveryTest, BeyondItsShareALongDelayIsCut) {
  policy_.backoff = {Minutes(1)};
  policy_.delayed_share = 30;
  Redelivery redelivery(&loop_.timers(), policy_, 1);
  const auto after = [&](absl::Duration asked) { return redelivery.DelayAfter(1, asked, /*max_ack_pending=*/10); };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(after(ZeroDuration()), Minutes(1));
  EXPECT_EQ(after(ZeroDuration()), Redelivery::kShortDelay);
  EXPECT_EQ(after(Minutes(5)), Redelivery::kShortDelay) << "the app's own as well";
  EXPECT_EQ(after(Milliseconds(5)), Milliseconds(5));
  loop_.RunFor(Minutes(1));
  EXPECT_EQ(after(ZeroDuration()), Minutes(1)) << "the others are due";
}

}  // namespace
}  // namespace sluice::core
