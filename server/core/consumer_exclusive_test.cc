// ordering: exclusive in one daemon: what it hands out, and what it tells the server, as the pin comes and goes.
#include <gmock/gmock.h>

#include "core/pin.h"
#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::MakeMessage;
using test::Numbers;
using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = PullStatus::Kind;

class ExclusiveTest : public test::ConsumerFixture {
 protected:
  // An app with a credit, and the daemon pinned with messages first to last.
  void StartPinned(uint64_t first, uint64_t last) {
    options_.ordering = Ordering::kExclusive;
    info_.ack_wait = absl::Seconds(10);
    info_.priority_timeout = absl::Seconds(3);
    Start(info_);
    AnswerInfo(0, 0, "");  // who is pinned: nobody
    session_ = Open(&stream_);
    SendPinned("p1", first, last);
  }
  void SendPinned(const char* pin, uint64_t first, uint64_t last) {
    std::vector<Message> messages;
    for (uint64_t sequence = first; sequence <= last; ++sequence) messages.push_back(MakeMessage(sequence));
    source_->SendPinned(pin, std::move(messages));
    loop_.RunFor(absl::ZeroDuration());
  }
  // The server's answer to the last CONSUMER.INFO.
  void AnswerInfo(uint64_t outstanding, uint64_t delivered, const std::string& pinned = "p1") {
    info_.num_ack_pending = outstanding;
    info_.delivered_consumer_sequence = delivered;
    info_.pinned_client_id = pinned;
    source_->listener->OnInfo(info_);
  }
  void BecomeActive() {
    source_->EndRenewal();
    AnswerInfo(2, 2);
  }

  ConsumerInfo info_;
  RecordingStream stream_;
  Session* session_ = nullptr;
};

// Mutation: a MayHandOut() that is true while gathering.
TEST_F(ExclusiveTest, ANewPinHandsOutNothingBeforeAllOutstandingIsHere) {
  StartPinned(2, 2);
  source_->EndRenewal();
  AnswerInfo(2, 3);
  EXPECT_THAT(stream_.sequences(), IsEmpty());
  SendPinned("p1", 1, 1);
  loop_.RunFor(Takeover::kLastPoll);
  AnswerInfo(2, 3);
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
}

// Mutation: it goes by its last answer.
TEST_F(ExclusiveTest, ANewLeaderIsAskedWhoIsPinned) {
  StartPinned(1, 2);
  BecomeActive();
  ASSERT_THAT(stream_.sequences(), ElementsAre(1));
  source_->EndPull(Kind::kLeadershipChange);
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  loop_.RunFor(absl::ZeroDuration());
  source_->EndRenewal();
  EXPECT_THAT(stream_.sequences(), ElementsAre(1)) << "nobody is pinned, which proves nothing";
  AnswerInfo(1, 2);
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
}

// Mutation: no DropUnseenTwins().
TEST_F(ExclusiveTest, AnAckSettlesWhatCameAgainMeanwhile) {
  StartPinned(1, 2);
  BecomeActive();
  std::vector<Message> again;
  again.push_back(MakeMessage(1, 2));
  source_->SendPinned("p1", std::move(again));
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
}

// Mutation: a MayHandOut() that does not look at the time.
TEST_F(ExclusiveTest, AnAnswerThatIsTooOldFencesUntilTheNext) {
  StartPinned(1, 2);
  BecomeActive();
  ASSERT_THAT(stream_.sequences(), ElementsAre(1));
  loop_.RunFor(absl::Seconds(3));
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  source_->EndRenewal();
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
}

// Another pod may have been pinned and gone again. Mutation: OnRenewalEnded() without ours_until_ (seeds 1779 of
// ExclusiveCrashes, 2979 of ExclusiveEverything: "given although it was sent to another daemon meanwhile").
TEST_F(ExclusiveTest, ThatNobodyElseIsPinnedProvesNothingOnceThePinMayHaveRunOut) {
  StartPinned(1, 2);
  BecomeActive();
  ASSERT_THAT(stream_.sequences(), ElementsAre(1));
  loop_.RunFor(absl::Seconds(4));        // without an answer, longer than the pin lasts
  source_->listener->OnAttached(info_);  // which renews it
  Settle(session_, {stream_.id_of(1)});
  source_->EndRenewal();
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  loop_.RunFor(Takeover::kFirstPoll);
  AnswerInfo(1, 2, "p1");  // it is ours after all
  loop_.RunFor(absl::Seconds(1));
  source_->EndRenewal();
  AnswerInfo(1, 2, "p1");
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
}

// A daemon that can be stopped, active with message 1 handed out.
class StoppedExclusiveTest : public ExclusiveTest {
 protected:
  void StartActive(absl::Duration ack_wait, absl::Duration priority_timeout) {
    options_.ordering = Ordering::kExclusive;
    info_.ack_wait = ack_wait;
    info_.priority_timeout = priority_timeout;
    auto source = std::make_unique<test::ScriptedSource>();
    source_ = source.get();
    options_.name = "orders";
    stopped_daemon_.AddConsumer(options_, std::move(source));
    source_->ComeUp(info_);
    AnswerInfo(0, 0, "");
    OpenRequest request;
    request.consumer = "orders";
    request.credit.messages = 10;
    const auto session = stopped_daemon_.Open(request, &stream_);
    ASSERT_TRUE(session.ok());
    session_ = *session;
    SendPinned("p1", 1, 1);
    source_->EndRenewal();
    AnswerInfo(1, 1);
    ASSERT_THAT(stream_.sequences(), ElementsAre(1));
  }
  void StopFor(absl::Duration duration) {
    process_.Stop();
    loop_.RunFor(duration);
    process_.Continue();
  }

  test::SimProcess process_{&loop_};
  Daemon stopped_daemon_{&process_.timers()};
};

// What has lain in the socket for its ack wait while the process was stopped is with another pod by now, maybe: no word
// of it (seeds 1923 and 7499 of ExclusiveEverything: "a late NAK took it from its holder"). Mutation: OnArrivals() that
// counts from now.
TEST_F(StoppedExclusiveTest, WhatComesAfterAStallMayBeOver) {
  StartActive(absl::Seconds(10), absl::Seconds(3));
  StopFor(absl::Seconds(12));
  SendPinned("p1", 2, 2);
  loop_.RunFor(absl::Seconds(1));
  for (const auto& settled : source_->settled) EXPECT_NE(settled.reply, "ack.2.1");
  EXPECT_EQ(stopped_daemon_.consumers().front()->counters().leases_ended, 2u);
}

// And if it is not, JetStream delivers it again an ack wait after it came at the latest: its successors wait for that
// (seed 1900 of ExclusiveEverything: "given before its predecessor"). Mutation: a LoseFromLane() that goes by the ack
// deadline alone.
TEST_F(StoppedExclusiveTest, WhatIsBehindWhatMayBeOverWaitsUntilItIs) {
  options_.pull_expires = absl::Seconds(10);
  StartActive(absl::Seconds(2), absl::Seconds(10));
  Settle(session_, {stream_.id_of(1)});
  StopFor(absl::Seconds(3));
  SendPinned("p1", 2, 2);
  source_->EndPull();
  loop_.RunFor(absl::Seconds(1));
  source_->EndPull();
  loop_.RunFor(absl::Milliseconds(100));
  SendPinned("p1", 3, 3);
  source_->EndRenewal();
  loop_.RunFor(absl::Milliseconds(300));
  source_->EndRenewal();
  EXPECT_THAT(stream_.sequences(), ElementsAre(1));
  std::vector<Message> again;
  again.push_back(MakeMessage(2, 2));
  source_->SendPinned("p1", std::move(again));
  loop_.RunFor(absl::ZeroDuration());
  source_->EndRenewal();
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2));
  Settle(session_, {stream_.id_of(2)});
  EXPECT_THAT(stream_.sequences(), ElementsAre(1, 2, 3));
}

TEST_F(ExclusiveTest, RenewsThePinThoughTheAppsHaveNoCreditLeft) {
  options_.pull_batch = 1;
  StartPinned(1, 2);
  BecomeActive();
  const size_t before = source_->renewals.size();
  for (int i = 0; i < 5; ++i) {
    loop_.RunFor(absl::Milliseconds(400));
    source_->EndPull();
  }
  EXPECT_GE(source_->renewals.size(), before + 2);
  EXPECT_EQ(source_->renewals.back().pin_id, "p1");
}

// Mutation: a StartLanes() that does not ask GivesBack().
TEST_F(ExclusiveTest, WhoLosesThePinGivesBackWhatNoAppHasSeen) {
  StartPinned(1, 2);
  BecomeActive();
  source_->EndPull();
  source_->EndRenewal();
  loop_.RunFor(absl::Milliseconds(500));
  source_->EndPull();
  loop_.RunFor(absl::Milliseconds(500));
  source_->EndRenewal(Kind::kWrongPin);
  source_->EndPull();
  EXPECT_THAT(Sent(), IsEmpty()) << "it is behind one of its key that the app holds";
  EXPECT_EQ(source_->pulls.back().pin_id, "");
  loop_.RunFor(absl::Seconds(3));
  AnswerInfo(1, 2, "p2");
  EXPECT_EQ(consumer().state(), ConsumerState::kPinnedElsewhere);
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(Sent(), ElementsAre("ACK ack.1.1", "NAK ack.2.1"));
}

// Mutation: UnpinLast() before Outbox::Fence().
TEST_F(ExclusiveTest, ADrainUnpinsLast) {
  StartPinned(1, 2);
  BecomeActive();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  Settle(session_, {stream_.id_of(1)});
  EXPECT_THAT(Sent(), ElementsAre("ACK ack.1.1", "NAK ack.2.1"));
  EXPECT_EQ(source_->unpins, 0);
  ConfirmLast();
  EXPECT_EQ(source_->unpins, 1);
  EXPECT_NE(consumer().phase(), DrainPhase::kClosed);
  source_->listener->OnUnpinned(absl::OkStatus());
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
}

TEST_F(ExclusiveTest, ADrainDoesNotUnpinWhoMayHaveTakenOver) {
  StartPinned(1, 2);
  BecomeActive();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(4));
  Settle(session_, {stream_.id_of(1)});
  ConfirmLast();
  EXPECT_EQ(source_->unpins, 0);
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
}

TEST_F(ExclusiveTest, WithoutAnAppThePinIsGivenUp) {
  StartPinned(1, 1);
  source_->EndRenewal();
  AnswerInfo(1, 1);
  Settle(session_, {stream_.id_of(1)});
  source_->EndPull();
  session_->OnHalfClosed();
  source_->EndPull();
  loop_.RunFor(absl::Seconds(3));
  EXPECT_EQ(source_->unpins, 1);
}

}  // namespace
}  // namespace sluice::core
