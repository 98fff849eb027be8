#include "core/intake.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test/support/scripted_source.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

using Kind = PullStatus::Kind;

class IntakeTest : public testing::Test, public Intake::Owner {
 protected:
  IntakeTest() { intake_.Start(); }

  Demand GetDemand() override { return demand_; }
  uint64_t InFlightCount() override { return in_flight_; }
  void OnArrivals(absl::Span<Message> batch) override { arrived_ += batch.size(); }
  void OnPullEnded() override { ++pulls_ended_; }
  void OnConfirmed(uint64_t, const absl::Status&) override {}
  void OnConnection(bool) override {}
  void OnStateChanged(ConsumerState state, const std::string& detail) override {
    state_ = state;
    states_.push_back(state);
    detail_ = detail;
  }
  void Close() {
    intake_.Close([this] { quiesced_ = true; }, [this] { fenced_ = true; });
  }

  test::SimLoop loop_;
  test::ScriptedSource source_;
  ConsumerOptions options_;
  Demand demand_ = {100, 1 << 20, true};
  uint64_t in_flight_ = 0;
  uint64_t arrived_ = 0;
  int pulls_ended_ = 0;
  ConsumerState state_ = ConsumerState::kNatsDown;
  std::vector<ConsumerState> states_;
  std::string detail_;
  bool quiesced_ = false;
  bool fenced_ = false;
  Intake intake_{&loop_.timers(), options_, &source_, this};
};

TEST_F(IntakeTest, AttachesWhenConnectedThenPulls) {
  EXPECT_EQ(source_.attaches, 0);
  source_.listener->OnConnection(true);
  EXPECT_EQ(source_.attaches, 1);
  EXPECT_TRUE(source_.pulls.empty());
  source_.listener->OnAttached(ConsumerInfo());
  EXPECT_EQ(state_, ConsumerState::kServing);
  ASSERT_EQ(source_.pulls.size(), 1u);
  EXPECT_EQ(source_.pulls[0].batch, 100u);
}

TEST_F(IntakeTest, PullsNothingForNobody) {
  demand_ = Demand();
  source_.ComeUp();
  EXPECT_TRUE(source_.pulls.empty());
  demand_ = {5, 1000, true};
  intake_.MaybePull();
  EXPECT_EQ(source_.pulls.size(), 1u);
}

TEST_F(IntakeTest, TheNextPullFollowsWhenOneIsFulfilledOrExpired) {
  demand_.messages = 2;
  source_.ComeUp();
  source_.SendRange(1, 1);
  EXPECT_EQ(source_.pulls.size(), 1u);
  source_.SendRange(2, 2);
  EXPECT_EQ(source_.pulls.size(), 2u);
  source_.EndPull(Kind::kExpired);
  EXPECT_EQ(source_.pulls.size(), 3u);
  EXPECT_EQ(arrived_, 2u);
}

// Quick apps free credit message by message: a pull for each verdict would keep all batches small.
TEST_F(IntakeTest, ASmallRefillWaitsForMoreOrForAMillisecond) {
  demand_.messages = 0;
  source_.ComeUp();
  in_flight_ = 64;
  demand_.messages = 63;
  intake_.MaybePull();
  EXPECT_TRUE(source_.pulls.empty());
  demand_.messages = 64;
  intake_.MaybePull();
  ASSERT_EQ(source_.pulls.size(), 1u) << "half of what the app can hold is free";
  demand_.messages = 0;
  source_.EndPull();

  in_flight_ = 100'000;
  demand_.messages = 255;
  intake_.MaybePull();
  ASSERT_EQ(source_.pulls.size(), 1u);
  demand_.messages = 1;
  loop_.RunFor(absl::Milliseconds(1));
  ASSERT_EQ(source_.pulls.size(), 2u) << "slow apps wait no longer";
  EXPECT_EQ(source_.pulls[1].batch, 1u);
  demand_.messages = 0;
  source_.EndPull();
  demand_.messages = 256;
  intake_.MaybePull();
  EXPECT_EQ(source_.pulls.size(), 3u) << "a full batch";
}

TEST_F(IntakeTest, AStatusOfAnEarlierPullChangesNothing) {
  source_.ComeUp();
  source_.EndPull();
  ASSERT_EQ(source_.pulls.size(), 2u);
  source_.listener->OnPullStatus({Kind::kExpired, 1, std::nullopt, "408"});
  EXPECT_EQ(source_.pulls.size(), 2u);
}

TEST_F(IntakeTest, BacksOffWhenTheServerRefuses) {
  for (Kind kind :
       {Kind::kLimitExceeded, Kind::kBadRequest, Kind::kLeadershipChange, Kind::kServerShutdown, Kind::kUnknown}) {
    SCOPED_TRACE(static_cast<int>(kind));
    if (source_.pulls.empty()) source_.ComeUp();
    const size_t before = source_.pulls.size();
    source_.EndPull(kind);
    intake_.MaybePull();
    EXPECT_EQ(source_.pulls.size(), before);
    loop_.RunFor(absl::Milliseconds(400));
    EXPECT_EQ(source_.pulls.size(), before + 1);
  }
}

TEST_F(IntakeTest, ADeletedConsumerIsToldAndLookedForAgain) {
  source_.ComeUp();
  source_.EndPull(Kind::kConsumerDeleted);
  EXPECT_EQ(state_, ConsumerState::kConsumerMissing);
  EXPECT_EQ(source_.attaches, 1) << "the server may still be at it";
  loop_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(source_.attaches, 2);
  source_.listener->OnAttached(absl::NotFoundError("no consumer 'orders' on stream ORDERS"));
  EXPECT_EQ(state_, ConsumerState::kConsumerMissing);
  EXPECT_EQ(detail_, "no consumer 'orders' on stream ORDERS");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(source_.attaches, 3);
  source_.listener->OnAttached(ConsumerInfo());
  EXPECT_EQ(state_, ConsumerState::kServing);
  EXPECT_EQ(source_.pulls.size(), 2u);
}

TEST_F(IntakeTest, ADeletionWithoutAWordIsToldWhenTheConsumerIsMadeAnew) {
  ConsumerInfo made;
  made.created = true;
  source_.ComeUp(made);
  EXPECT_EQ(states_, (std::vector{ConsumerState::kServing})) << "the first time nothing was deleted";
  loop_.RunFor(absl::Seconds(2));
  ASSERT_EQ(source_.attaches, 2);
  source_.listener->OnAttached(made);
  EXPECT_EQ(states_, (std::vector{ConsumerState::kServing, ConsumerState::kConsumerMissing, ConsumerState::kServing}));
}

TEST_F(IntakeTest, AConsumerThatIsNotAsConfiguredIsToldAndAskedForAgain) {
  source_.listener->OnConnection(true);
  source_.listener->OnAttached(absl::FailedPreconditionError("ack_wait is 5s, configured 30s"));
  EXPECT_EQ(state_, ConsumerState::kConsumerInvalid);
  EXPECT_TRUE(source_.pulls.empty());
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(source_.attaches, 2);
}

TEST_F(IntakeTest, SilenceIsFollowedByALook) {
  options_.pull_expires = absl::Seconds(30);
  options_.pull_heartbeat = absl::Seconds(1);
  source_.ComeUp();
  for (int i = 0; i < 10; ++i) {
    loop_.RunFor(absl::Seconds(1));
    source_.listener->OnPullStatus({Kind::kHeartbeat, 1, std::nullopt, "100"});
  }
  EXPECT_EQ(source_.attaches, 1) << "heartbeats show that the pull is alive";
  loop_.RunFor(absl::Seconds(3));
  EXPECT_EQ(source_.attaches, 2);
  source_.listener->OnAttached(ConsumerInfo());
  EXPECT_EQ(source_.pulls.size(), 2u);
}

TEST_F(IntakeTest, AReconnectAttachesAndPullsAnew) {
  source_.ComeUp();
  source_.listener->OnConnection(false);
  EXPECT_EQ(state_, ConsumerState::kNatsDown);
  EXPECT_FALSE(intake_.pull_is_open());
  source_.ComeUp();
  EXPECT_EQ(source_.attaches, 2);
  EXPECT_EQ(source_.pulls.size(), 2u);
}

TEST_F(IntakeTest, NoAnswerDoesNotSpeakIllOfAConsumerThatWasWell) {
  source_.ComeUp();
  source_.EndPull(Kind::kNoResponders);
  source_.listener->OnAttached(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(state_, ConsumerState::kServing);
}

TEST_F(IntakeTest, TellsOfAPausedConsumer) {
  options_.pull_expires = absl::Hours(1);
  ConsumerInfo info;
  info.paused_until = loop_.now() + absl::Minutes(5);
  source_.ComeUp(info);
  EXPECT_EQ(state_, ConsumerState::kPaused);
  loop_.RunFor(absl::Minutes(5));
  EXPECT_EQ(state_, ConsumerState::kServing);
}

// Mutation: an OnInfo() that looks at the backlog alone.
TEST_F(IntakeTest, TellsOfAPauseThatBeginsAndEndsWhileItServes) {
  options_.pull_expires = absl::Hours(1);
  source_.ComeUp();
  ConsumerInfo info;
  info.paused_until = loop_.now() + absl::Hours(1);
  loop_.RunFor(Intake::kLookEvery);
  source_.listener->OnInfo(info);
  EXPECT_EQ(state_, ConsumerState::kPaused);
  loop_.RunFor(Intake::kLookEvery);
  source_.listener->OnInfo(ConsumerInfo());
  EXPECT_EQ(state_, ConsumerState::kServing);
}

// The order that strands nothing: the open pull ends, then the subscription, then CONSUMER.INFO.
TEST_F(IntakeTest, ClosesBehindTheOpenPull) {
  source_.ComeUp();
  Close();
  EXPECT_FALSE(quiesced_);
  EXPECT_EQ(source_.closes, 0) << "an UNSUB now could strand a batch";
  source_.SendRange(1, 100);
  EXPECT_TRUE(quiesced_);
  EXPECT_EQ(source_.pulls.size(), 1u) << "no new pull while closing";
  EXPECT_EQ(source_.closes, 1);
  EXPECT_EQ(source_.infos, 0);
  source_.listener->OnIntakeClosed();
  EXPECT_EQ(source_.infos, 1);
  EXPECT_FALSE(fenced_);
  source_.listener->OnInfo(ConsumerInfo());
  EXPECT_TRUE(fenced_);
}

// "Batch Completed" overtakes the last messages on a replicated consumer of 2.12 and later: 1 in 500 were stranded.
TEST_F(IntakeTest, ClosesBehindMessagesThatTheEndOfTheirPullHasOvertaken) {
  source_.ComeUp();
  Close();
  source_.SendRange(1, 97);
  source_.EndPull(Kind::kExpired, 0);
  EXPECT_FALSE(quiesced_) << "three messages are under way";
  source_.SendRange(98, 100);
  EXPECT_TRUE(quiesced_);
  EXPECT_EQ(arrived_, 100u);
}

TEST_F(IntakeTest, NoPullIsOpenedBeforeTheLastOneHasAllThatWasSent) {
  source_.ComeUp();
  source_.SendRange(1, 50);
  source_.EndPull(Kind::kMessageTooLarge, 49);
  EXPECT_EQ(source_.pulls.size(), 1u);
  EXPECT_EQ(pulls_ended_, 0) << "a NAK could bounce";
  source_.SendRange(51, 51);
  EXPECT_EQ(source_.pulls.size(), 2u);
  EXPECT_EQ(pulls_ended_, 1);
}

TEST_F(IntakeTest, WhatWasSentAndNeverComesIsNotWaitedForForEver) {
  source_.ComeUp();
  source_.EndPull(Kind::kExpired, 99);
  EXPECT_EQ(source_.pulls.size(), 1u);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(source_.attaches, 2);
  source_.listener->OnAttached(ConsumerInfo());
  EXPECT_EQ(source_.pulls.size(), 2u);
}

TEST_F(IntakeTest, ClosesAtTheLatestWhenThePullHasExpiredForCertain) {
  source_.ComeUp();
  Close();
  loop_.RunFor(absl::Seconds(3));
  EXPECT_FALSE(quiesced_) << "a busy server may be late with its word";
  loop_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(quiesced_);
}

TEST_F(IntakeTest, APullGivenUpInSilenceIsStillWaitedForWhenClosing) {
  options_.pull_expires = absl::Seconds(30);
  options_.pull_heartbeat = absl::Seconds(1);
  source_.ComeUp();
  loop_.RunFor(absl::Seconds(3));
  ASSERT_EQ(source_.attaches, 2);
  Close();
  EXPECT_FALSE(quiesced_) << "the server may still answer it";
  loop_.RunFor(absl::Seconds(28));
  EXPECT_TRUE(quiesced_);
}

TEST_F(IntakeTest, ClosesWithoutAConnection) {
  source_.ComeUp();
  source_.listener->OnConnection(false);
  Close();
  EXPECT_TRUE(quiesced_);
  source_.listener->OnIntakeClosed();
  EXPECT_TRUE(fenced_);
  EXPECT_EQ(source_.infos, 0);
}

TEST_F(IntakeTest, ADisconnectEndsTheWaitForTheOpenPull) {
  source_.ComeUp();
  Close();
  source_.listener->OnConnection(false);
  EXPECT_TRUE(quiesced_);
}

TEST_F(IntakeTest, AMissingAnswerAtTheFenceDoesNotHoldItUp) {
  source_.ComeUp();
  Close();
  source_.EndPull();
  source_.listener->OnIntakeClosed();
  source_.listener->OnInfo(absl::DeadlineExceededError("no answer"));
  EXPECT_TRUE(fenced_);
}

// With no app nothing is pulled, and nothing else tells how many messages wait.
TEST_F(IntakeTest, LooksAtTheBacklogNowAndThen) {
  demand_ = {};
  source_.listener->OnConnection(true);
  ConsumerInfo info;
  info.num_pending = 7;
  info.num_ack_pending = 2;
  source_.listener->OnAttached(info);
  EXPECT_EQ(intake_.backlog().num_pending, 7u);
  EXPECT_EQ(intake_.backlog().num_ack_pending, 2u);
  EXPECT_EQ(source_.infos, 0);
  loop_.RunFor(Intake::kLookEvery);
  EXPECT_EQ(source_.infos, 1);
  loop_.RunFor(Intake::kLookEvery);
  EXPECT_EQ(source_.infos, 1) << "the first one is not answered yet";
  info.num_pending = 9;
  source_.listener->OnInfo(info);
  EXPECT_EQ(intake_.backlog().num_pending, 9u);
  loop_.RunFor(Intake::kLookEvery);
  EXPECT_EQ(source_.infos, 2);
  source_.listener->OnInfo(absl::UnavailableError("gone"));
  EXPECT_EQ(intake_.backlog().num_pending, 9u) << "no answer says nothing";
  source_.listener->OnConnection(false);
  loop_.RunFor(2 * Intake::kLookEvery);
  EXPECT_EQ(source_.infos, 2) << "there is nobody to ask";
}

TEST_F(IntakeTest, ADeliveryTellsTheBacklog) {
  source_.listener->OnConnection(true);
  source_.listener->OnAttached(ConsumerInfo());
  std::vector<Message> batch;
  batch.push_back(test::MakeMessage(1));
  batch.back().num_pending = 41;
  source_.listener->OnMessages(absl::MakeSpan(batch));
  EXPECT_EQ(intake_.backlog().num_pending, 41u);
}

}  // namespace
}  // namespace sluice::core
