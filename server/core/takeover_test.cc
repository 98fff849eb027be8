#include "core/takeover.h"

#include <gtest/gtest.h>

#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

// The server and what is here, played by the test.
class TakeoverTest : public testing::Test, public Takeover::Owner {
 protected:
  bool AskInfo() override { return ++asked_ > 0; }
  uint64_t CountHere(uint64_t consumer_sequence) override {
    counted_up_to_ = consumer_sequence;
    return here_;
  }
  void OnTakenOver() override { ++taken_over_; }
  void OnExcess() override { ++excesses_; }
  void OnStillMissing() override {}

  void Answer(uint64_t outstanding, uint64_t delivered = 0) {
    ConsumerInfo info;
    info.num_ack_pending = outstanding;
    info.delivered_consumer_sequence = delivered;
    takeover_.OnInfo(info);
  }

  test::SimLoop loop_;
  Takeover takeover_{&loop_.timers(), this};
  uint64_t here_ = 0;
  uint64_t counted_up_to_ = 0;
  int asked_ = 0;
  int taken_over_ = 0;
  int excesses_ = 0;
};

// Mutation: `here >= outstanding`, or an OnInfo() that counts up to any sequence.
TEST_F(TakeoverTest, IsOverWhenAllThatIsOutstandingIsHere) {
  takeover_.Begin();
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_EQ(asked_, 1);
  here_ = 3;
  Answer(5, 17);
  EXPECT_EQ(counted_up_to_, 17u);
  EXPECT_TRUE(takeover_.running());
  EXPECT_EQ(takeover_.wanted(), 2u);
  loop_.RunFor(Takeover::kLastPoll);
  EXPECT_EQ(asked_, 2);
  here_ = 5;
  Answer(5, 19);
  EXPECT_EQ(taken_over_, 1);
  EXPECT_FALSE(takeover_.running());
}

TEST_F(TakeoverTest, AsksAgainWithoutAnAnswer) {
  takeover_.Begin();
  loop_.RunFor(absl::ZeroDuration());
  takeover_.OnInfo(absl::DeadlineExceededError("no answer"));
  loop_.RunFor(Takeover::kLastPoll);
  EXPECT_EQ(asked_, 2);
}

TEST_F(TakeoverTest, WhileOnlyNewMessagesComeItPullsOneAtATime) {
  takeover_.Begin();
  Answer(100);
  takeover_.OnArrivals(/*redelivered=*/false);
  EXPECT_EQ(takeover_.wanted(), 0u);
  loop_.RunFor(Takeover::kProbeEvery);
  EXPECT_EQ(takeover_.wanted(), 1u);
  takeover_.OnArrivals(/*redelivered=*/true);
  EXPECT_EQ(takeover_.wanted(), 100u);
}

// Mutation: no OnExcess(), with which it would wait for ever.
TEST_F(TakeoverTest, MoreHereThanOutstandingIsGatheredAnewOnceAndThenLeftAtThat) {
  takeover_.Begin();
  here_ = 6;
  for (int i = 0; i < Takeover::kMostExcess; ++i) Answer(2);
  EXPECT_EQ(excesses_, 1);
  EXPECT_EQ(taken_over_, 0);
  for (int i = 0; i < Takeover::kMostExcess; ++i) Answer(2);
  EXPECT_EQ(excesses_, 1);
  EXPECT_EQ(taken_over_, 1);
}

}  // namespace
}  // namespace sluice::core
