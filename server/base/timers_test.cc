#include "base/timers.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1000);
};

class TimersTest : public testing::Test {
 protected:
  void Advance(absl::Duration by) {
    clock_.now += by;
    timers_.RunDue();
  }

  ManualClock clock_;
  Timers timers_{&clock_};
  std::vector<int> ran_;
};

TEST_F(TimersTest, RunsWhatIsDueInTheOrderOfTimes) {
  timers_.After(absl::Seconds(2), [&] { ran_.push_back(2); });
  timers_.After(absl::Seconds(1), [&] { ran_.push_back(1); });
  timers_.After(absl::Seconds(3), [&] { ran_.push_back(3); });
  EXPECT_EQ(timers_.NextDue(), clock_.now + absl::Seconds(1));
  Advance(absl::Seconds(2));
  EXPECT_EQ(ran_, (std::vector<int>{1, 2}));
  Advance(absl::Seconds(1));
  EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture());
}

TEST_F(TimersTest, EqualTimesRunInTheOrderOfTheirMaking) {
  for (int i = 0; i < 5; ++i) timers_.After(absl::Seconds(1), [this, i] { ran_.push_back(i); });
  Advance(absl::Seconds(1));
  EXPECT_EQ(ran_, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(TimersTest, ACancelledOneDoesNotRun) {
  const Timers::Id id = timers_.After(absl::Seconds(1), [&] { ran_.push_back(1); });
  timers_.Cancel(id);
  timers_.Cancel(id);
  Advance(absl::Seconds(2));
  EXPECT_TRUE(ran_.empty());
}

TEST_F(TimersTest, ACallbackMayAddOneThatIsDueAtOnce) {
  timers_.After(absl::Seconds(1), [&] { timers_.After(absl::ZeroDuration(), [&] { ran_.push_back(1); }); });
  Advance(absl::Seconds(1));
  EXPECT_EQ(ran_, (std::vector<int>{1}));
}

TEST_F(TimersTest, ATimerIsCancelledWithItsOwner) {
  {
    Timer timer(&timers_);
    timer.SetAfter(absl::Seconds(1), [&] { ran_.push_back(1); });
    EXPECT_TRUE(timer.pending());
  }
  Advance(absl::Seconds(2));
  EXPECT_TRUE(ran_.empty());
}

TEST_F(TimersTest, SettingATimerReplacesWhatWasSet) {
  Timer timer(&timers_);
  timer.SetAfter(absl::Seconds(1), [&] { ran_.push_back(1); });
  timer.SetAfter(absl::Seconds(3), [&] { ran_.push_back(3); });
  Advance(absl::Seconds(2));
  EXPECT_TRUE(ran_.empty());
  Advance(absl::Seconds(1));
  EXPECT_EQ(ran_, (std::vector<int>{3}));
  EXPECT_FALSE(timer.pending());
}

TEST_F(TimersTest, ATimerMayDestroyItselfOrSetItselfAgain) {
  auto timer = std::make_unique<Timer>(&timers_);
  timer->SetAfter(absl::Seconds(1), [&] {
    timer->SetAfter(absl::Seconds(1), [&] {
      timer.reset();
      ran_.push_back(2);
    });
    ran_.push_back(1);
  });
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_EQ(ran_, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace sluice::base
