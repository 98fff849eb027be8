#include "client-sdk/cpp/ending.h"

#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = Ending::Step;
using Wish = Ending::Wish;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "broken");

class EndingTest : public ::testing::Test {
 protected:
  // A stream that is open.
  void Open() {
    ending_.OnConnecting(now_);
    ending_.OnOpened(now_);
  }
  void Lose() { ending_.OnEnded(now_); }
  static DrainReport Report() { return {.completed = true, .awaited = 3}; }

  Ending ending_;
  Ending::Time now_{seconds(1000)};
  Ending::WallTime wall_{seconds(2000)};
};

TEST_F(EndingTest, AStreamIsRetriedUnlessThereIsNoSense) {
  Open();
  Lose();
  EXPECT_FALSE(ending_.IsLast(kBroken, now_));
  EXPECT_FALSE(ending_.IsLast(grpc::Status::OK, now_));
  for (const auto code : {grpc::StatusCode::NOT_FOUND, grpc::StatusCode::INVALID_ARGUMENT,
                          grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::PERMISSION_DENIED}) {
    EXPECT_TRUE(ending_.IsLast({code, ""}, now_)) << code;
  }
}

TEST_F(EndingTest, ADaemonThatDoesNotAnswerIsGivenUp) {
  ending_.OnConnecting(now_);
  EXPECT_EQ(ending_.give_up(), now_ + Ending::kOpenTimeout);
  ending_.OnOpened(now_);
  EXPECT_GT(ending_.give_up(), now_ + std::chrono::hours(24));
}

TEST_F(EndingTest, ADrainIsToldOnceThereIsAStream) {
  ending_.OnConnecting(now_);
  ending_.Drain(milliseconds(7000));
  EXPECT_TRUE(ending_.due());
  EXPECT_EQ(ending_.Tell(now_), Step::kNothing);
  EXPECT_FALSE(ending_.due());
  ending_.OnOpened(now_);
  EXPECT_TRUE(ending_.due());
  EXPECT_EQ(ending_.Tell(now_), Step::kDrain);
  EXPECT_EQ(ending_.give_up(), now_ + seconds(7) + Ending::kDrainGrace);
}

TEST_F(EndingTest, TheDaemonsDeadlineCounts) {
  Open();
  ending_.Drain(std::nullopt);
  EXPECT_EQ(ending_.Tell(now_), Step::kDrain);
  ending_.OnDraining(wall_ + seconds(20), wall_, now_);
  EXPECT_EQ(ending_.give_up(), now_ + seconds(20) + Ending::kDrainGrace);
  EXPECT_EQ(ending_.deadline(), wall_ + seconds(20));
}

TEST_F(EndingTest, ADrainThatHasHadItsTimeEndsIncomplete) {
  Open();
  ending_.Drain(milliseconds(0));
  ending_.Tell(now_);
  ending_.OnCancelled(ending_.give_up());
  Lose();
  EXPECT_TRUE(ending_.IsLast(kBroken, now_));
  EXPECT_FALSE(ending_.report().completed);
  EXPECT_FALSE(ending_.due());
}

TEST_F(EndingTest, OnlyTheFirstDrainCountsAndStopOverridesIt) {
  Open();
  ending_.Drain(milliseconds(100));
  ending_.Drain(milliseconds(9000));
  EXPECT_EQ(ending_.timeout(), milliseconds(100));
  ending_.Tell(now_);
  ending_.Stop();
  EXPECT_TRUE(ending_.due());
  EXPECT_EQ(ending_.Tell(now_), Step::kHalfClose);
  EXPECT_EQ(ending_.give_up(), now_ + Ending::kStopTimeout);
  ending_.Drain(milliseconds(1));
  EXPECT_EQ(ending_.wish(), Wish::kStop);
}

// SIGTERM that finds no daemon.
TEST_F(EndingTest, ADrainWithoutADaemonWaitsForWhatTheLastOneKeeps) {
  Open();
  Lose();
  ending_.Drain(std::nullopt);
  EXPECT_FALSE(ending_.IsLast(kBroken, now_)) << "a successor may take what is held";
  EXPECT_EQ(ending_.RetryAt(seconds(60), now_), now_ + Ending::kResumeWindow) << "not a backoff longer than that";
  EXPECT_EQ(ending_.RetryAt(milliseconds(10), now_), now_ + milliseconds(10));
  EXPECT_TRUE(ending_.IsLast(kBroken, now_ + Ending::kResumeWindow + milliseconds(1)));
}

TEST_F(EndingTest, ADrainThatNeverSawADaemonEndsWithItsFirstFailure) {
  ending_.OnConnecting(now_);
  ending_.Drain(std::nullopt);
  EXPECT_EQ(ending_.Tell(now_), Step::kNothing);
  EXPECT_EQ(ending_.give_up(), now_ + Ending::kStopTimeout) << "one that is about to open may, one that hangs may not";
  EXPECT_TRUE(ending_.IsLast(kBroken, now_));
}

TEST_F(EndingTest, ADrainAfterTheDaemonsEndsAtOnceWithItsReport) {
  Open();
  ending_.OnDraining(wall_ + seconds(20), wall_, now_);
  ending_.OnDrained(Report());
  Lose();
  ending_.OnConnecting(now_);  // there is no successor
  EXPECT_FALSE(ending_.IsLast(kBroken, now_));
  ending_.Drain(std::nullopt);
  EXPECT_TRUE(ending_.IsLast(kBroken, now_));
  EXPECT_TRUE(ending_.report().completed);
  EXPECT_EQ(ending_.report().awaited, 3u);
}

TEST_F(EndingTest, TheReportOfADaemonBeforeThisOneIsNotTheDrains) {
  Open();
  ending_.OnDrained(Report());
  Lose();
  Open();
  ending_.Drain(std::nullopt);
  EXPECT_FALSE(ending_.report().completed);
}

TEST_F(EndingTest, WhatIsHeldIsKeptUntilADaemonMayHaveGivenItBack) {
  Open();
  now_ += seconds(60);
  Lose();
  EXPECT_TRUE(ending_.StillKept(wall_, now_ + seconds(4)));
  EXPECT_FALSE(ending_.StillKept(wall_, now_ + Ending::kResumeWindow));
}

TEST_F(EndingTest, NothingIsKeptAfterADrain) {
  Open();
  ending_.OnDraining(wall_ + seconds(1), wall_, now_);
  Lose();
  EXPECT_TRUE(ending_.StillKept(wall_, now_));
  EXPECT_FALSE(ending_.StillKept(wall_ + seconds(1), now_)) << "its deadline is over";
  Open();
  ending_.OnDrained(Report());
  Lose();
  EXPECT_FALSE(ending_.StillKept(wall_, now_));
  ending_.OnConnecting(now_);
  EXPECT_FALSE(ending_.StillKept(wall_, now_)) << "whatever is tried in between";
  Open();
  Lose();
  EXPECT_TRUE(ending_.StillKept(wall_, now_));
}

TEST_F(EndingTest, AStreamThatLivedIsToldFromOneThatDidNot) {
  Open();
  now_ += milliseconds(999);
  Lose();
  EXPECT_TRUE(ending_.was_open());
  EXPECT_FALSE(ending_.lived());
  Open();
  now_ += seconds(1);
  Lose();
  EXPECT_TRUE(ending_.lived());
  ending_.OnConnecting(now_);
  EXPECT_FALSE(ending_.was_open());
  EXPECT_FALSE(ending_.lived());
}

}  // namespace
}  // namespace sluice::internal
