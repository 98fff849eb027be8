#include "core/pull_window.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

Demand Wants(uint64_t messages, uint64_t bytes = 1 << 20) { return {messages, bytes, false}; }

class PullWindowTest : public testing::Test {
 protected:
  ConsumerOptions options_;
  PullWindow window_{options_};
};

TEST_F(PullWindowTest, AsksForWhatTheAppsWouldTake) {
  const auto pull = window_.Open(Wants(10, 5000), 0);
  ASSERT_TRUE(pull.has_value());
  EXPECT_EQ(pull->batch, 10u);
  EXPECT_EQ(pull->max_bytes, 5000u);
  EXPECT_EQ(pull->expires, absl::Seconds(1));
  EXPECT_EQ(pull->heartbeat, absl::Milliseconds(500));
}

TEST_F(PullWindowTest, AsksForNothingWithoutDemand) { EXPECT_FALSE(window_.Open(Demand(), 0).has_value()); }

TEST_F(PullWindowTest, NeverAsksForMoreThanABatch) { EXPECT_EQ(window_.Open(Wants(100'000), 0)->batch, 256u); }

TEST_F(PullWindowTest, OnePullIsOpenAtATime) {
  ASSERT_TRUE(window_.Open(Wants(3), 0).has_value());
  EXPECT_FALSE(window_.Open(Wants(100), 0).has_value());
  EXPECT_FALSE(window_.OnMessages(2));
  EXPECT_FALSE(window_.Open(Wants(100), 0).has_value());
  EXPECT_TRUE(window_.OnMessages(1));
  const auto next = window_.Open(Wants(100), 0);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->id, 2u);
}

TEST_F(PullWindowTest, StaysWithinWhatTheServerAllows) {
  ConsumerInfo info;
  info.max_ack_pending = 100;
  info.max_request_batch = 50;
  info.max_request_max_bytes = 1000;
  info.max_request_expires = absl::Milliseconds(400);
  window_.SetLimits(info);
  const auto pull = window_.Open(Wants(200), 0);
  EXPECT_EQ(pull->batch, 50u);
  EXPECT_EQ(pull->max_bytes, 1000u);
  EXPECT_EQ(pull->expires, absl::Milliseconds(400));
  EXPECT_EQ(pull->heartbeat, absl::ZeroDuration()) << "its end comes before a second heartbeat would";
  window_.Close();
  EXPECT_EQ(window_.Open(Wants(200), 90)->batch, 10u);
  window_.Close();
  EXPECT_FALSE(window_.Open(Wants(200), 100).has_value());
  Demand awaited = Wants(200);
  awaited.redelivery = true;
  EXPECT_EQ(window_.Open(awaited, 100)->batch, 1u) << "max_ack_pending does not hold up redeliveries";
}

TEST_F(PullWindowTest, WhatTheServerHasSentIsWaitedForThoughItSaysThatThePullIsOver) {
  ASSERT_TRUE(window_.Open(Wants(10), 0).has_value());
  window_.OnMessages(4);
  EXPECT_FALSE(window_.OnEnded(3)) << "7 were sent, 4 are here";
  EXPECT_FALSE(window_.Open(Wants(10), 0).has_value());
  EXPECT_FALSE(window_.OnMessages(2));
  EXPECT_FALSE(window_.OnEnded(3)) << "said once more, it counts once";
  EXPECT_TRUE(window_.OnMessages(1));
  EXPECT_TRUE(window_.Open(Wants(10), 0).has_value());
}

TEST_F(PullWindowTest, AnEndWithoutANumberOrWithTooLargeAOneIsTheEnd) {
  ASSERT_TRUE(window_.Open(Wants(10), 0).has_value());
  EXPECT_TRUE(window_.OnEnded(std::nullopt));
  ASSERT_TRUE(window_.Open(Wants(10), 0).has_value());
  EXPECT_TRUE(window_.OnEnded(10));
  ASSERT_TRUE(window_.Open(Wants(10), 0).has_value());
  EXPECT_TRUE(window_.OnEnded(11));
}

// What a drain has to wait for is as short as the traffic allows, and an idle pod asks as rarely as it is told to.
TEST_F(PullWindowTest, APullIsOpenForTheTimeThatAFewMessagesTake) {
  const auto open = [&] { return window_.Open(Wants(100), 0)->expires; };
  const auto end = [&](uint64_t brought, absl::Duration lasted) {
    if (brought > 0) window_.OnMessages(brought);
    window_.Close();
    window_.SetPace(lasted);
  };
  EXPECT_EQ(open(), absl::Seconds(1)) << "nothing is known yet";
  end(40, absl::Seconds(1));
  EXPECT_EQ(open(), absl::Milliseconds(200)) << "in which 8 come at 40 in a second";
  end(100, absl::Milliseconds(1));
  EXPECT_EQ(open(), PullWindow::kShortest);
  for (absl::Duration twice = 2 * PullWindow::kShortest; twice < absl::Seconds(1); twice *= 2) {
    end(0, twice / 2);
    EXPECT_EQ(open(), twice);
  }
  end(0, absl::Milliseconds(640));
  EXPECT_EQ(open(), absl::Seconds(1)) << "and no longer";
  end(1, absl::Seconds(1));
  EXPECT_EQ(open(), absl::Seconds(1)) << "a message now and then costs no more pulls";
}

// Mutation: an Expires() that does not ask. A drain then waits 2 s for a word that never comes.
TEST_F(PullWindowTest, WithAServerThatEndsPullsInSilenceTheyAreLong) {
  ConsumerInfo info;
  info.tells_expiry = false;
  window_.SetLimits(info);
  ASSERT_TRUE(window_.Open(Wants(100), 0).has_value());
  window_.OnMessages(50);
  window_.Close();
  window_.SetPace(absl::Milliseconds(10));
  EXPECT_EQ(window_.Open(Wants(100), 0)->expires, absl::Seconds(1));
}

TEST_F(PullWindowTest, AMessageLargerThanTheCreditComesAloneForAnIdleApp) {
  ASSERT_TRUE(window_.Open(Wants(10, 1000), 0).has_value());
  window_.OnMessageTooLarge();
  EXPECT_TRUE(window_.OnEnded(10));
  EXPECT_FALSE(window_.Open(Wants(10, 1000), 0).has_value()) << "the same bytes would fail the same way";
  const auto alone = window_.Open({10, 1000, true}, 0);
  ASSERT_TRUE(alone.has_value());
  EXPECT_EQ(alone->batch, 1u);
  EXPECT_EQ(alone->max_bytes, 0u);
  window_.OnMessages(1);
  EXPECT_EQ(window_.Open(Wants(10, 1000), 0)->batch, 10u) << "once it has come, all is as before";
}

TEST_F(PullWindowTest, MoreCreditIsAnotherTryForALargeMessage) {
  ASSERT_TRUE(window_.Open(Wants(10, 1000), 0).has_value());
  window_.OnMessageTooLarge();
  EXPECT_TRUE(window_.OnEnded(10));
  EXPECT_EQ(window_.Open(Wants(10, 2000), 0)->max_bytes, 2000u);
}

}  // namespace
}  // namespace sluice::core
