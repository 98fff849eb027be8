#include "client-sdk/cpp/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client-sdk/cpp/frame_fixture.h"
#include "client-sdk/cpp/session.h"

namespace sluice::internal {

bool operator==(const Settlement& a, const Settlement& b) { return a.id == b.id && a.verdict == b.verdict; }

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Place = Held::Place;

constexpr uint32_t kCredit = 4;
constexpr size_t kRemembered = 8;

class LedgerTest : public ::testing::Test {
 protected:
  struct Content {
    uint64_t id;
    uint64_t sequence;
    uint64_t num_delivered = 1;
    int64_t stored = 0;      // seconds; 0: `sequence`
    std::string token = {};  // empty: "token of " its id
  };

  LedgerTest() { ledger_.OnOpened({}); }
  ~LedgerTest() override {
    for (const auto& frame : frames_) ledger_.Forget(*frame);
  }

  Frame& MakeFrame(const std::vector<Content>& contents) {
    v1::ConsumeResponse response;
    for (const Content& content : contents) {
      v1::Delivery& delivery = *response.mutable_deliveries()->add_deliveries();
      delivery.set_id(content.id);
      delivery.set_stream_sequence(content.sequence);
      delivery.set_num_delivered(content.num_delivered);
      delivery.set_token(content.token.empty() ? "token of " + std::to_string(content.id) : content.token);
      delivery.mutable_timestamp()->set_seconds(content.stored != 0 ? content.stored : content.sequence);
    }
    frames_.push_back(testing::ReadFrame(session_, response));
    return *frames_.back();
  }
  Held& Receive(const Content& content) {
    Frame& frame = MakeFrame({content});
    told_ = ledger_.Accept(frame);
    return frame.held[0];
  }
  Held& ReceiveAndStart(const Content& content) {
    Held& held = Receive(content);
    EXPECT_TRUE(held.Start());
    return held;
  }
  std::vector<Settlement> Reopen(const std::unordered_map<uint64_t, uint64_t>& resumed = {}) {
    ledger_.OnStreamEnded();
    return ledger_.OnOpened(resumed);
  }

  v1::Open Name(bool kept = true) {
    v1::Open open;
    ledger_.NameHeld(kept, open);
    return open;
  }
  std::vector<uint64_t> Named() {
    std::vector<uint64_t> ids;
    const v1::Open open = Name();
    for (const v1::Held& held : open.resume()) ids.push_back(held.id());
    return ids;
  }
  // The ids that go with the token of their message.
  std::vector<uint64_t> WithToken(bool kept) {
    std::vector<uint64_t> ids;
    const v1::Open open = Name(kept);
    for (const v1::Held& held : open.resume()) {
      if (held.token() == "token of " + std::to_string(held.id())) ids.push_back(held.id());
    }
    return ids;
  }

  const std::shared_ptr<Session> session_ =
      std::make_shared<Session>(SessionOptions{.consumer = "orders", .client_id = "me"});
  Ledger ledger_{kCredit, kRemembered};
  std::vector<std::shared_ptr<Frame>> frames_;
  std::vector<Settlement> told_;  // by the last Receive()
};

TEST_F(LedgerTest, AVerdictIsToldUnderItsId) {
  Held& held = ReceiveAndStart({.id = 7, .sequence = 100});
  EXPECT_EQ(ledger_.stats().in_flight, 1u);
  EXPECT_EQ(ledger_.Settle(held, Ack()), 7u);
  EXPECT_EQ(ledger_.stats().in_flight, 0u);
  EXPECT_EQ(ledger_.stats().acked, 1u);
}

TEST_F(LedgerTest, ResumingNamesWhatIsHeldAndTheLastVerdicts) {
  ReceiveAndStart({.id = 1, .sequence = 1});
  Receive({.id = 2, .sequence = 2});
  ledger_.Settle(ReceiveAndStart({.id = 3, .sequence = 3}), Ack());
  EXPECT_THAT(Named(), UnorderedElementsAre(1, 2, 3));
}

// A second NAK through another daemon would take the message from its new holder; so would a verdict on what the first
// daemon has given back. Mutation: tokens with everything.
TEST_F(LedgerTest, OnlyWhatMayBeSettledElsewhereIsNamedWithItsToken) {
  ReceiveAndStart({.id = 1, .sequence = 1});
  Receive({.id = 2, .sequence = 2});
  ledger_.Settle(ReceiveAndStart({.id = 3, .sequence = 3}), Ack());
  ledger_.Settle(ReceiveAndStart({.id = 4, .sequence = 4}), Nak());
  ledger_.Settle(ReceiveAndStart({.id = 5, .sequence = 5}), Term("no"));
  EXPECT_THAT(Named(), UnorderedElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(WithToken(/*kept=*/true), UnorderedElementsAre(1, 2, 3, 5));
  EXPECT_THAT(WithToken(/*kept=*/false), ElementsAre(3));
}

TEST_F(LedgerTest, WhatFitsIntoARequestIsNamedTheHeldFirstThenTheLastVerdicts) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 1}), Ack());
  ledger_.Settle(ReceiveAndStart({.id = 2, .sequence = 2}), Ack());
  Receive({.id = 3, .sequence = 3});
  EXPECT_THAT(Named(), ElementsAre(3, 2, 1));
  for (uint64_t id = 4; id <= 10; ++id) {
    ledger_.Accept(MakeFrame({{.id = id, .sequence = id, .token = std::string(2 << 20, 't')}}));
  }
  EXPECT_LE(Name().ByteSizeLong(), 16u << 20);
  EXPECT_THAT(Named(), ::testing::Contains(3));
}

// The daemon's successor adopted it, but JetStream had sent it again already, before the ack was there.
TEST_F(LedgerTest, WhatIsResumedAfterItsVerdictIsNotRunWhenItComesBack) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9}), Ack());
  EXPECT_THAT(Reopen({{1, 51}}), ElementsAre(Settlement{51, Ack()}));
  EXPECT_FALSE(Receive({.id = 60, .sequence = 9, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{60, Ack()}));
}

TEST_F(LedgerTest, OnlyAsManyVerdictsAreRememberedAsAsked) {
  for (uint64_t id = 1; id <= kRemembered + 3; ++id) ledger_.Settle(ReceiveAndStart({id, id}), Ack());
  EXPECT_THAT(Named(), UnorderedElementsAre(4, 5, 6, 7, 8, 9, 10, 11));
}

TEST_F(LedgerTest, WhatIsResumedGoesOnUnderItsNewId) {
  Held& held = ReceiveAndStart({.id = 1, .sequence = 1});
  EXPECT_THAT(Reopen({{1, 50}}), IsEmpty());
  EXPECT_FALSE(held.cancelled);
  EXPECT_EQ(ledger_.Settle(held, Ack()), 50u);
}

TEST_F(LedgerTest, AVerdictThatGotLostIsToldAgainInOrder) {
  Held& first = ReceiveAndStart({.id = 1, .sequence = 1});
  Held& second = ReceiveAndStart({.id = 2, .sequence = 2});
  ledger_.OnStreamEnded();
  EXPECT_EQ(ledger_.Settle(second, Term("no")), std::nullopt);
  EXPECT_EQ(ledger_.Settle(first, Ack()), std::nullopt);
  EXPECT_THAT(ledger_.OnOpened({{1, 51}, {2, 52}}), ElementsAre(Settlement{52, Term("no")}, Settlement{51, Ack()}));
  EXPECT_THAT(Named(), UnorderedElementsAre(51, 52)) << "it may get lost once more";
}

TEST_F(LedgerTest, WhatIsNotResumedIsDroppedOrCancelled) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  Held& queued = Receive({.id = 2, .sequence = 2});
  Reopen();
  EXPECT_TRUE(running.cancelled);
  EXPECT_FALSE(queued.Start()) << "another app may have it by now";
  EXPECT_EQ(ledger_.Settle(running, Ack()), std::nullopt);
  EXPECT_EQ(ledger_.stats().lost, 2u);
  EXPECT_EQ(ledger_.stats().in_flight, 0u);
  EXPECT_THAT(Named(), IsEmpty()) << "the ids mean nothing to this stream";
}

TEST_F(LedgerTest, AMessageThatComesBackToItsRunningHandlerIsNotRunTwice) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 9});
  Reopen();
  Held& again = Receive({.id = 60, .sequence = 9, .num_delivered = 2});
  EXPECT_FALSE(again.Start());
  EXPECT_FALSE(running.cancelled);
  EXPECT_EQ(ledger_.Settle(running, Ack()), 60u);
  EXPECT_EQ(ledger_.stats().rejoined, 1u);
  EXPECT_EQ(ledger_.stats().in_flight, 0u);
}

// A token names one attempt: by the first one's, the daemon's successor would not find what this app holds now.
TEST_F(LedgerTest, WhatHasComeBackIsNamedWithTheTokenOfItsNewAttempt) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 9});
  Held& settled = ReceiveAndStart({.id = 2, .sequence = 10});
  Reopen();
  Receive({.id = 60, .sequence = 9, .num_delivered = 2});
  Receive({.id = 61, .sequence = 10, .num_delivered = 2});
  ledger_.Settle(settled, Ack());
  EXPECT_THAT(Named(), UnorderedElementsAre(60, 61));
  EXPECT_THAT(WithToken(/*kept=*/true), UnorderedElementsAre(60, 61));
  EXPECT_EQ(ledger_.Settle(running, Term("no")), 60u);
  EXPECT_THAT(WithToken(/*kept=*/true), UnorderedElementsAre(60, 61));
}

TEST_F(LedgerTest, AMessageThatComesBackAfterItsAckGotLostIsAckedAgain) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9}), Ack());
  Reopen();
  EXPECT_FALSE(Receive({.id = 60, .sequence = 9, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{60, Ack()}));
}

TEST_F(LedgerTest, AVerdictGivenToNobodyCountsWhenTheMessageComesBack) {
  Held& orphan = ReceiveAndStart({.id = 1, .sequence = 9});
  Reopen();
  EXPECT_EQ(ledger_.Settle(orphan, Term("no")), std::nullopt);
  EXPECT_FALSE(Receive({.id = 60, .sequence = 9, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{60, Term("no")}));
}

TEST_F(LedgerTest, WhatWasNakedIsRunAgain) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9}), Nak());
  Reopen();
  EXPECT_TRUE(Receive({.id = 60, .sequence = 9, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LedgerTest, TheSameSequenceInAStreamMadeAnewIsAnotherMessage) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9, .stored = 1000}), Ack());
  Held& running = ReceiveAndStart({.id = 2, .sequence = 10, .stored = 1000});
  Reopen();
  EXPECT_TRUE(Receive({.id = 60, .sequence = 9, .num_delivered = 2, .stored = 2000}).Start());
  EXPECT_TRUE(Receive({.id = 61, .sequence = 10, .num_delivered = 2, .stored = 2000}).Start());
  EXPECT_TRUE(running.cancelled);
}

// An ack that reached the server after the ack wait: the message is on its way again.
TEST_F(LedgerTest, WhatComesAgainOnTheSameStreamGetsItsVerdictAgain) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9}), Ack());
  ledger_.Settle(ReceiveAndStart({.id = 2, .sequence = 10}), Term("no"));
  EXPECT_FALSE(Receive({.id = 3, .sequence = 9, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{3, Ack()}));
  EXPECT_FALSE(Receive({.id = 4, .sequence = 10, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{4, Term("no")}));
  EXPECT_EQ(ledger_.stats().rejoined, 2u);
}

TEST_F(LedgerTest, WhatWasNakedOnTheSameStreamIsRunAgainAndItsLastVerdictCounts) {
  ledger_.Settle(ReceiveAndStart({.id = 1, .sequence = 9}), Nak());
  Held& again = Receive({.id = 2, .sequence = 9, .num_delivered = 2});
  EXPECT_TRUE(again.Start());
  ledger_.Settle(again, Ack());
  EXPECT_FALSE(Receive({.id = 3, .sequence = 9, .num_delivered = 3}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{3, Ack()}));
}

TEST_F(LedgerTest, ADrainsEndCancelsWhatRunsAndDropsWhatWaits) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  Held& queued = Receive({.id = 2, .sequence = 2});
  running.stop = std::stop_source();
  ledger_.OnDrained();
  EXPECT_TRUE(running.cancelled);
  EXPECT_FALSE(queued.Start());
  EXPECT_EQ(ledger_.TakeStopped().size(), 1u);
  EXPECT_THAT(ledger_.TakeStopped(), IsEmpty());
  EXPECT_EQ(ledger_.stats().in_flight, 1u);
}

TEST_F(LedgerTest, AnEndedLeaseCancelsWhatRunsAndGivesBackWhatWaits) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  Held& queued = Receive({.id = 2, .sequence = 2});
  Held& other = ReceiveAndStart({.id = 3, .sequence = 3});
  EXPECT_THAT(ledger_.OnLeasesEnded({1, 2}), ElementsAre(Settlement{2, Nak()}));
  EXPECT_TRUE(running.cancelled);
  EXPECT_FALSE(queued.Start());
  EXPECT_FALSE(other.cancelled);
  EXPECT_EQ(ledger_.Settle(running, Ack()), 1u) << "a late ack is forwarded";
}

TEST_F(LedgerTest, ALateVerdictCountsForTheNextAttemptToo) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  ledger_.OnLeasesEnded({1});
  ledger_.Settle(running, Ack());
  EXPECT_FALSE(Receive({.id = 2, .sequence = 1, .num_delivered = 2}).Start());
  EXPECT_THAT(told_, ElementsAre(Settlement{2, Ack()}));
}

TEST_F(LedgerTest, AnAttemptAfterAnEndedLeaseJoinsTheRunningHandlerAndFreesTheOldId) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  ledger_.OnLeasesEnded({1});
  Receive({.id = 2, .sequence = 1, .num_delivered = 2});
  EXPECT_THAT(told_, ElementsAre(Settlement{1, Nak()}));
  EXPECT_EQ(ledger_.Settle(running, Ack()), 2u);
}

TEST_F(LedgerTest, HandingBackTakesWhatWaitsAscending) {
  Receive({.id = 3, .sequence = 3});
  Held& running = ReceiveAndStart({.id = 2, .sequence = 2});
  Receive({.id = 1, .sequence = 1});
  EXPECT_THAT(ledger_.HandBack(), ElementsAre(Settlement{1, Nak()}, Settlement{3, Nak()}));
  EXPECT_EQ(ledger_.Settle(running, Ack()), 2u);
}

TEST_F(LedgerTest, AClosedOneTellsNothing) {
  Held& running = ReceiveAndStart({.id = 1, .sequence = 1});
  Held& queued = Receive({.id = 2, .sequence = 2});
  ledger_.Close();
  EXPECT_TRUE(running.cancelled);
  EXPECT_FALSE(queued.Start());
  EXPECT_EQ(ledger_.Settle(running, Ack()), std::nullopt);
}

TEST_F(LedgerTest, ForgettingAFrameForgetsItsMessagesOnly) {
  ReceiveAndStart({.id = 1, .sequence = 1});
  Receive({.id = 2, .sequence = 2});
  Receive({.id = 3, .sequence = 3});
  ledger_.Forget(*frames_[0]);
  EXPECT_THAT(Named(), UnorderedElementsAre(2, 3));
}

}  // namespace
}  // namespace sluice::internal
