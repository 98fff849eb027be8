#include "core/ack_floor.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/support/scripted_source.h"

namespace sluice::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AckFloorTest : public testing::Test {
 protected:
  // All that is outstanding is here, and the server has delivered as many.
  void AllHere(const std::vector<uint64_t>& outstanding, uint64_t delivered) {
    EXPECT_THAT(floor_.OnAllHere(outstanding, delivered), IsEmpty());
  }
  Delivery* Come(uint64_t stream_sequence, uint64_t consumer_sequence, uint64_t num_delivered = 1) {
    Delivery& delivery = deliveries_.emplace_back();
    delivery.message = test::MakeMessage(stream_sequence, num_delivered);
    delivery.message.consumer_sequence = consumer_sequence;
    is_new_ = floor_.Add(delivery.message);
    return &delivery;
  }
  void Come(uint64_t first, uint64_t last, const char*) {
    for (uint64_t sequence = first; sequence <= last; ++sequence) came_[sequence] = Come(sequence, sequence);
  }
  void Finish(Delivery* delivery, Verdict verdict = Verdict::kAck, Outbox::Claim claim = {}) {
    Settlement settlement;
    settlement.verdict = verdict;
    EXPECT_EQ(floor_.Finish(delivery, settlement, claim), AckFloor::Finishing::kKept);
  }
  // "ack.6.1 as 1", and what it settles.
  std::vector<std::string> Runs(bool coalesce = true) {
    std::vector<std::string> runs;
    while (const auto run = floor_.TakeRun(coalesce)) {
      runs.push_back(absl::StrCat(run->terminates ? "TERM " : "", run->reply, " as ", run->consumer_sequence, " of ",
                                  run->deliveries.size()));
    }
    return runs;
  }

  AckFloor floor_{3};
  std::deque<Delivery> deliveries_;
  std::map<uint64_t, Delivery*> came_;
  bool is_new_ = false;
};

TEST_F(AckFloorTest, OneAckForAllThatIsFinishedInARow) {
  AllHere({}, 0);
  Come(1, 4, "");
  Finish(came_[2]);
  Finish(came_[3]);
  EXPECT_THAT(Runs(), IsEmpty());
  Finish(came_[1]);
  EXPECT_THAT(Runs(), ElementsAre("ack.3.1 as 1 of 3"));
  Finish(came_[4]);
  EXPECT_THAT(Runs(), ElementsAre("ack.4.1 as 2 of 1"));
}

TEST_F(AckFloorTest, OrOneEach) {
  AllHere({}, 0);
  Come(1, 3, "");
  for (uint64_t sequence : {3, 2, 1}) Finish(came_[sequence]);
  EXPECT_THAT(Runs(false), ElementsAre("ack.1.1 as 1 of 1", "ack.2.1 as 2 of 1", "ack.3.1 as 3 of 1"));
}

TEST_F(AckFloorTest, ATermEndsItsRun) {
  AllHere({}, 0);
  Come(1, 3, "");
  Finish(came_[1]);
  Finish(came_[2], Verdict::kTerm);
  Finish(came_[3]);
  EXPECT_THAT(Runs(), ElementsAre("TERM ack.2.1 as 1 of 2", "ack.3.1 as 2 of 1"));
}

// Seed 10227 of AckAllNatsFaults: the new holder's ACKs were taken for old, and confirmed.
TEST_F(AckFloorTest, WhoMayHaveASuccessorAcksWhatItHoldsAlone) {
  AllHere({}, 0);
  Come(1, 3, "");
  for (uint64_t sequence : {1, 2, 3}) Finish(came_[sequence]);
  floor_.Forsake(*came_[2]);  // its lease has ended
  EXPECT_EQ(floor_.TakeRun(true, true)->reply, "ack.1.1");
  EXPECT_FALSE(floor_.TakeRun(true, true).has_value());
  EXPECT_THAT(Runs(), ElementsAre("ack.3.1 as 2 of 1"));
}

// Seeds 3134 and 4106 of AckAll: what was finished behind it went back in a drain, to be done again.
TEST_F(AckFloorTest, WhatIsGivenUpHoldsUpNothing) {
  AllHere({}, 0);
  Come(1, 3, "");
  Finish(came_[2]);
  Finish(came_[3]);
  floor_.GiveUp(1);
  EXPECT_THAT(Runs(), ElementsAre("ack.3.1 as 1 of 2"));
  EXPECT_EQ(floor_.blocked_by(), 0u);
}

TEST_F(AckFloorTest, WhatAnAppHasFinishedIsNotGivenUp) {
  AllHere({}, 0);
  Come(1, 2, "");
  Finish(came_[2]);
  floor_.GiveUp(2);
  Finish(came_[1]);
  EXPECT_THAT(Runs(), ElementsAre("ack.2.1 as 1 of 2"));
}

// Mutation: the consumer sequence of the message itself.
TEST_F(AckFloorTest, WhatWasDeliveredAgainDoesNotLiftTheConsumerSequence) {
  AllHere({}, 0);
  Come(1, 3, "");
  Finish(Come(1, 4, 2));
  EXPECT_THAT(Runs(), ElementsAre("ack.1.2 as 1 of 1"));
  Finish(came_[2]);
  EXPECT_THAT(Runs(), ElementsAre("ack.2.1 as 2 of 1"));
}

// The server does so by itself, and CONSUMER.INFO does not tell (AckAllServerTest). Mutation: Add() without it.
TEST_F(AckFloorTest, WhenNothingWasOutstandingTheNextAckIsAboveAllThatWasDelivered) {
  AllHere({}, 0);
  Come(1, 5, "");
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Finish(came_[sequence]);
  EXPECT_THAT(Runs(), ElementsAre("ack.5.1 as 1 of 5"));
  Come(6, 7, "");
  Finish(came_[6]);
  EXPECT_THAT(Runs(), ElementsAre("ack.6.1 as 6 of 1"));
  Finish(came_[7]);
  EXPECT_THAT(Runs(), ElementsAre("ack.7.1 as 7 of 1"));
}

// Mutation: Add() that does not look at the consumer sequence.
TEST_F(AckFloorTest, WhatGotLostOnItsWayIsNotAckedByALaterOne) {
  AllHere({}, 0);
  Come(1, 2, "");
  Delivery* fourth = Come(4, 4);
  EXPECT_TRUE(floor_.TakeSuspicion());
  Finish(came_[1]);
  Finish(came_[2]);
  Finish(fourth);
  EXPECT_THAT(Runs(), ElementsAre("ack.2.1 as 1 of 2")) << "3 was delivered, and is not here";
  Delivery* third = Come(3, 5, 2);
  AllHere({3, 4}, 5);
  EXPECT_THAT(Runs(), IsEmpty());
  Finish(third);
  EXPECT_THAT(Runs(), ElementsAre("ack.4.1 as 2 of 2"));
}

// Mutation: no Doubt().
TEST_F(AckFloorTest, WhatMayHaveGotLostWithTheConnectionIsNotAckedByALaterOne) {
  AllHere({}, 0);
  Come(1, 1, "");
  floor_.Doubt();
  Delivery* third = Come(3, 3);
  Finish(came_[1]);
  Finish(third);
  EXPECT_THAT(Runs(), ElementsAre("ack.1.1 as 1 of 1"));
}

TEST_F(AckFloorTest, WhatIsFinishedStaysSoWhenItComesAgain) {
  AllHere({}, 0);
  Come(1, 2, "");
  Finish(came_[2]);
  floor_.Forsake(*came_[2]);  // its lease has ended
  Delivery* again = Come(2, 3, 2);
  EXPECT_FALSE(is_new_);
  EXPECT_EQ(floor_.Keep(again), nullptr);
  Finish(came_[1]);
  EXPECT_THAT(Runs(), ElementsAre("ack.2.2 as 1 of 2"));
}

TEST_F(AckFloorTest, AnAckThatGotLostIsSaidAgainWhenItsMessageComesAgain) {
  AllHere({}, 0);
  Come(1, 1, "");
  Finish(came_[1]);
  EXPECT_THAT(Runs(), ElementsAre("ack.1.1 as 1 of 1"));
  Delivery* again = Come(1, 2, 2);
  EXPECT_FALSE(is_new_) << "no app is to see it";
  floor_.Keep(again);
  EXPECT_TRUE(floor_.TakeSuspicion());
  EXPECT_THAT(Runs(), ElementsAre("ack.1.2 as 2 of 1"));
}

// Mutation: an ACK that is taken for lost here as well, so that an operator cannot set a consumer back.
TEST_F(AckFloorTest, AFirstDeliveryOfWhatIsAckedIsOneOfAConsumerThatWasSetBack) {
  AllHere({}, 0);
  Come(1, 1, "");
  Finish(came_[1]);
  Runs();
  Come(1, 2, 1);
  EXPECT_TRUE(is_new_);
  EXPECT_TRUE(floor_.TakeSuspicion());
}

// Mutation: a may_start_up_to() without a limit.
TEST_F(AckFloorTest, NoMoreThanMaxUnackedMayStart) {
  EXPECT_EQ(floor_.may_start_up_to(), 0u) << "nobody knows what is outstanding";
  AllHere({}, 0);
  Come(1, 3, "");
  EXPECT_GT(floor_.may_start_up_to(), 3u);
  Come(4, 9, "");
  EXPECT_EQ(floor_.may_start_up_to(), 3u);
  Finish(came_[1]);
  Runs();
  EXPECT_EQ(floor_.may_start_up_to(), 4u);
}

TEST_F(AckFloorTest, WhatTheServerHasAsSettledIsLetGo) {
  AllHere({}, 0);
  Come(1, 4, "");
  Finish(came_[2], Verdict::kAck, {7, 42});
  const AckFloor::Run settled = floor_.OnServerFloor(2, 9);
  EXPECT_THAT(settled.deliveries, ElementsAre(came_[2]));
  ASSERT_EQ(settled.claims.size(), 1u);
  EXPECT_EQ(settled.claims[0].id, 42u);
  Finish(came_[3]);
  EXPECT_THAT(Runs(), ElementsAre("ack.3.1 as 10 of 1"));
}

TEST_F(AckFloorTest, ALateAckFinishesWhatIsStillOutstanding) {
  AllHere({}, 0);
  Come(1, 2, "");
  EXPECT_TRUE(floor_.FinishGone(*came_[2], {7, 42}));
  EXPECT_TRUE(floor_.IsDone(2));
  Finish(came_[1]);
  const auto run = floor_.TakeRun(true);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->reply, "ack.2.1");
  EXPECT_EQ(run->claims.size(), 1u);
  EXPECT_FALSE(floor_.FinishGone(*came_[2], {7, 43})) << "it is settled";
}

TEST_F(AckFloorTest, WhatIsGivenBackIsToBeDoneAgain) {
  AllHere({}, 0);
  Come(1, 2, "");
  Finish(came_[2], Verdict::kAck, {7, 42});
  EXPECT_EQ(floor_.blocked_by(), 1u);
  EXPECT_EQ(floor_.Reopen(*came_[2]).size(), 1u);
  EXPECT_FALSE(floor_.IsDone(2));
  Finish(came_[1]);
  EXPECT_THAT(Runs(), ElementsAre("ack.1.1 as 1 of 1"));
}

}  // namespace
}  // namespace sluice::core
