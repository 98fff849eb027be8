#include "core/unary_access.h"

#include <optional>

#include "gmock/gmock.h"
#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class UnaryAccessTest : public test::ConsumerFixture {
 protected:
  struct Call {
    uint64_t number = 0;
    bool ended = false;
    absl::Time ended_at;
    absl::Status status;
    Numbers ids;
    Numbers sequences;
    absl::Duration lease;
    ConsumerState state = ConsumerState::kServing;
  };
  struct Settled {
    std::optional<SettleAnswers> answers;
    // By position.
    std::vector<SettleOutcome> outcomes() const {
      std::vector<SettleOutcome> all(64);
      size_t count = 0;
      for (const auto& answer : answers.value_or(SettleAnswers())) {
        for (uint64_t position : answer.ids) all[position] = answer.outcome, ++count;
      }
      all.resize(count);
      return all;
    }
    std::string detail() const { return answers && !answers->empty() ? answers->front().detail : "none"; }
  };

  Call& Fetch(const FetchRequest& request) {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    const auto number = consumer().unary().Fetch(request, [this, &call](const FetchResult& result) {
      EXPECT_FALSE(call.ended) << "called back twice";
      call.ended = true;
      call.ended_at = loop_.now();
      call.status = result.status;
      call.lease = result.lease;
      call.state = result.state;
      for (const Delivery* delivery : result.deliveries) {
        call.ids.push_back(delivery->id);
        call.sequences.push_back(delivery->stream_sequence());
      }
    });
    EXPECT_TRUE(number.ok()) << number.status();
    call.number = number.value_or(0);
    return call;
  }
  // Three messages, fetched.
  Call& FetchThree(absl::Duration lease = absl::ZeroDuration()) {
    Call& call = Fetch({.batch = 3, .lease = lease});
    source_->SendRange(1, 3);
    loop_.RunFor(absl::ZeroDuration());
    EXPECT_TRUE(call.ended);
    return call;
  }
  Settled& SettleCall(const Numbers& ids, Verdict verdict = Verdict::kAck) {
    Settled& settled = *settled_.emplace_back(std::make_unique<Settled>());
    std::vector<SettleTarget> targets;
    for (uint64_t id : ids) targets.push_back({id});
    consumer().unary().Settle(targets, {verdict, absl::ZeroDuration(), {}},
                              [&settled](SettleAnswers answers) { settled.answers = std::move(answers); });
    return settled;
  }
  // The server's word on every verdict so far.
  void ConfirmAll() {
    for (const auto& confirmation : std::exchange(source_->confirmations, {})) {
      source_->listener->OnConfirmed(confirmation.tag, absl::OkStatus());
    }
    loop_.RunFor(absl::ZeroDuration());
  }
  // What was asked to be confirmed, as "ACK ack.1.1".
  Strings Asked() const {
    static constexpr const char* kNames[] = {"ACK", "NAK", "TERM", "WPI"};
    Strings asked;
    for (const auto& one : source_->confirmations) {
      asked.push_back(absl::StrCat(kNames[static_cast<int>(one.verdict)], " ", one.reply));
    }
    return asked;
  }

  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<std::unique_ptr<Settled>> settled_;
};

// --- filling ---

TEST_F(UnaryAccessTest, AFullBatchIsAnsweredAtOnceAndNothingIsPulledBeyondIt) {
  Start();
  Call& call = Fetch({.batch = 3});
  ASSERT_EQ(source_->pulls.size(), 1u);
  EXPECT_EQ(source_->pulls[0].batch, 3u);
  source_->SendRange(1, 3);
  EXPECT_FALSE(call.ended) << "never from within a call of core's";
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_TRUE(call.ended);
  EXPECT_TRUE(call.status.ok());
  EXPECT_THAT(call.sequences, ElementsAre(1, 2, 3));
  loop_.RunFor(absl::Seconds(3));
  EXPECT_EQ(source_->pulls.size(), 1u) << "what is held makes no demand";
}

TEST_F(UnaryAccessTest, APartOfABatchIsAnsweredWhenNothingMoreComes) {
  Start();
  Call& call = Fetch({.batch = 10});
  loop_.RunFor(absl::Seconds(1));
  source_->SendRange(1, 2);
  loop_.RunFor(Fetch::kQuiet / 2);
  source_->SendRange(3, 3);
  loop_.RunFor(Fetch::kQuiet / 2);
  EXPECT_FALSE(call.ended) << "the third one has come since";
  loop_.RunFor(Fetch::kQuiet);
  EXPECT_THAT(call.sequences, ElementsAre(1, 2, 3));
}

TEST_F(UnaryAccessTest, ATrickleDoesNotHoldBackWhatHasCome) {
  Start();
  Call& call = Fetch({.batch = 256});
  for (uint64_t sequence = 1; sequence <= 40 && !call.ended; ++sequence) {
    source_->SendRange(sequence, sequence);
    loop_.RunFor(Fetch::kQuiet * 4 / 5);
  }
  ASSERT_TRUE(call.ended);
  EXPECT_LE(call.sequences.size(), Fetch::kMostFilling / (Fetch::kQuiet * 4 / 5) + 1u);
}

TEST_F(UnaryAccessTest, WithoutAMessageItWaitsForMaxWaitAndIsEmpty) {
  Start();
  const absl::Time began = loop_.now();
  Call& call = Fetch({.max_wait = absl::Seconds(3)});
  loop_.RunFor(absl::Milliseconds(2999));
  EXPECT_FALSE(call.ended);
  loop_.RunFor(absl::Milliseconds(1));
  EXPECT_TRUE(call.ended);
  EXPECT_TRUE(call.status.ok());
  EXPECT_THAT(call.ids, IsEmpty());
  EXPECT_EQ(call.ended_at, began + absl::Seconds(3));
}

// A pull that outlives its call by a second would bring messages that nobody waits for.
TEST_F(UnaryAccessTest, APullLastsNoLongerThanAnyoneWaits) {
  Start();
  Fetch({.max_wait = absl::ZeroDuration()});
  ASSERT_EQ(source_->pulls.size(), 1u);
  EXPECT_EQ(source_->pulls[0].expires, Fetch::kAtOnce);
  EXPECT_LE(source_->pulls[0].heartbeat, Fetch::kAtOnce / 2);
  loop_.RunFor(Fetch::kAtOnce);
  source_->EndPull();
  RecordingStream app;
  Open(&app, 10);
  Fetch({.max_wait = absl::ZeroDuration()});
  EXPECT_EQ(source_->pulls.back().expires, options_.pull_expires) << "a stream waits for ever";
}

TEST_F(UnaryAccessTest, MaxBytesBoundsTheAnswerButNotItsFirstMessage) {
  Start();
  Call& call = Fetch({.batch = 10, .max_bytes = 5});
  source_->SendRange(1, 2);
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_THAT(call.sequences, ElementsAre(1));
}

TEST_F(UnaryAccessTest, TheLargestAnswerFitsIntoWhatAClientTakes) {
  const core::Fetch fetch(&loop_.timers(), {.batch = 256}, [] {});
  EXPECT_LE(fetch.ToOpen().credit.bytes + 256 * core::Fetch::kOverhead, uint64_t{4} << 20);
}

// A round trip each, not the life of a pull (`expires`): redpanda-data/connect#4160, "Fetch(1)", ~2 MiB/min.
TEST_F(UnaryAccessTest, Connect4160FetchesOfOneMessageDoNotWaitForTheirPullsToExpire) {
  options_.pull_expires = absl::Seconds(30);
  Start();
  const absl::Time began = loop_.now();
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
    Call& call = Fetch({});
    loop_.RunFor(absl::Milliseconds(2));  // a round trip, and what a small refill waits
    ASSERT_EQ(source_->pulls.size(), sequence);
    EXPECT_EQ(source_->pulls.back().batch, 1u);
    source_->SendRange(sequence, sequence);
    loop_.RunFor(absl::ZeroDuration());
    ASSERT_THAT(call.sequences, ElementsAre(sequence));
  }
  EXPECT_LT(loop_.now() - began, absl::Seconds(1));
}

TEST_F(UnaryAccessTest, StreamsAndCallsGetTheirMessagesInTurn) {
  Start();
  RecordingStream app;
  Open(&app, 10);
  Call& call = Fetch({.batch = 10});
  source_->SendRange(1, 10);
  loop_.RunFor(Fetch::kQuiet);
  EXPECT_EQ(app.sequences().size(), 5u);
  EXPECT_EQ(call.sequences.size(), 5u);
}

TEST_F(UnaryAccessTest, AsManyCallsMayWaitAsThereMayBeStreams) {
  options_.max_streams = 2;
  Start();
  RecordingStream app;
  Open(&app, 1);
  Call& first = Fetch({});
  Fetch({});
  const auto third = consumer().unary().Fetch({}, [](const FetchResult&) { FAIL(); });
  EXPECT_TRUE(absl::IsResourceExhausted(third.status()));
  EXPECT_THAT(third.status().message(), HasSubstr("consumer 'orders' has 2 waiting fetches; "));
  EXPECT_EQ(consumer().gauges().streams, 1u) << "calls are not streams";
  consumer().unary().Cancel(first.number);
  Fetch({});
  RecordingStream second;
  Open(&second, 1);
}

TEST_F(UnaryAccessTest, TheStateIsToldToWhoGotNothing) {
  Start();
  source_->listener->OnConnection(false);
  Call& call = Fetch({.max_wait = absl::Seconds(1)});
  loop_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(call.ended);
  EXPECT_EQ(call.state, ConsumerState::kNatsDown);
}

// --- callers that go away ---

// Mutation: Cancel() forgets the call and leaves its session be.
TEST_F(UnaryAccessTest, WhatACallerThatIsGoneHadGotGoesBackAtOnceAscending) {
  Start();
  Call& call = Fetch({.batch = 3});
  source_->SendRange(1, 2);
  consumer().unary().Cancel(call.number);
  source_->EndPull();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
  loop_.RunFor(absl::Minutes(2));
  EXPECT_FALSE(call.ended);
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
  EXPECT_EQ(source_->pulls.size(), 1u) << "and nothing is pulled for it";
}

TEST_F(UnaryAccessTest, AnAnswerThatWasLostGoesBackAtOnceButForWhatWasSettledAllTheSame) {
  Start();
  Call& call = FetchThree();
  SettleCall({call.ids[1]});
  consumer().unary().Return(call.ids);
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.3.1"}));
  EXPECT_EQ(SettleCall({call.ids[0]}).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
}

// --- settling ---

TEST_F(UnaryAccessTest, AVerdictIsConfirmedWhenTheServerHasConfirmedIt) {
  Start();
  Call& call = FetchThree();
  Settled& acked = SettleCall({call.ids[2], call.ids[0]});
  EXPECT_EQ(Asked(), (Strings{"ACK ack.3.1", "ACK ack.1.1"}));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_FALSE(acked.answers.has_value());
  ConfirmAll();
  EXPECT_EQ(acked.outcomes(), (std::vector{SettleOutcome::kConfirmed, SettleOutcome::kConfirmed}));
  Settled& terminated = SettleCall({call.ids[1]}, Verdict::kTerm);
  EXPECT_EQ(Asked(), (Strings{"TERM ack.2.1"}));
  ConfirmAll();
  EXPECT_EQ(terminated.outcomes(), (std::vector{SettleOutcome::kConfirmed}));
}

TEST_F(UnaryAccessTest, AServerThatSaysNothingIsNotWaitedForForEver) {
  Start();
  Call& call = FetchThree();
  Settled& settled = SettleCall({call.ids[0]});
  loop_.RunFor(Fetched::kSettleTimeout);
  EXPECT_EQ(settled.outcomes(), (std::vector{SettleOutcome::kFailed}));
  EXPECT_THAT(settled.detail(), HasSubstr("has not confirmed"));
  ConfirmAll();  // too late to be told, and told to nobody
}

TEST_F(UnaryAccessTest, WhatIsNotHeldIsAnsweredAndNeverActedOn) {
  Start();
  RecordingStream app;
  Open(&app, 1);
  source_->SendRange(10, 10);
  Call& call = FetchThree();
  const Settled& settled = SettleCall({call.ids[0], call.ids[0], app.id_of(10), 0, ~uint64_t{0}}, Verdict::kTerm);
  EXPECT_EQ(Asked(), (Strings{"TERM ack.1.1"}));
  ConfirmAll();
  EXPECT_EQ(settled.outcomes(),
            (std::vector{SettleOutcome::kConfirmed, SettleOutcome::kNotHeld, SettleOutcome::kNotHeld,
                         SettleOutcome::kNotHeld, SettleOutcome::kNotHeld}));
  EXPECT_THAT(settled.detail(), HasSubstr("named twice"));
  EXPECT_EQ(SettleCall({call.ids[0]}).outcomes(), (std::vector{SettleOutcome::kNotHeld})) << "settled before";
  EXPECT_TRUE(Sent().empty());
}

TEST_F(UnaryAccessTest, ASecondCallOnWhatIsBeingSettledDoesNotTakeTheFirstOnesAnswer) {
  Start();
  Call& call = FetchThree();
  Settled& first = SettleCall({call.ids[0]});
  EXPECT_EQ(SettleCall({call.ids[0]}, Verdict::kNak).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  ConfirmAll();
  EXPECT_EQ(first.outcomes(), (std::vector{SettleOutcome::kConfirmed}));
}

TEST_F(UnaryAccessTest, BeforeAnythingWasFetchedNothingIsHeld) {
  Start();
  EXPECT_EQ(SettleCall({1, 2}).outcomes(), (std::vector{SettleOutcome::kNotHeld, SettleOutcome::kNotHeld}));
}

// --- leases ---

// Silence would be as good, but for the ack wait. Mutation: the lease timer is not armed.
TEST_F(UnaryAccessTest, WhatIsNotSettledWithinItsLeaseIsNaked) {
  Start();
  Call& call = FetchThree(absl::Seconds(3));
  EXPECT_EQ(call.lease, absl::Seconds(3));
  SettleCall({call.ids[1]});
  loop_.RunFor(absl::Milliseconds(2999));
  EXPECT_TRUE(Sent().empty());
  loop_.RunFor(absl::Milliseconds(1));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.3.1"}));
}

TEST_F(UnaryAccessTest, InProgressRestartsTheLease) {
  Start();
  Call& call = FetchThree(absl::Seconds(3));
  loop_.RunFor(absl::Seconds(2));
  EXPECT_EQ(SettleCall({call.ids[0]}, Verdict::kInProgress).outcomes(), (std::vector{SettleOutcome::kConfirmed}));
  loop_.RunFor(absl::Seconds(2));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.2.1", "NAK ack.3.1"}));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(Sent().back(), "NAK ack.1.1");
}

TEST_F(UnaryAccessTest, ALeaseIsTheAckWaitUnlessToldAndNeverMoreThanLeaseMax) {
  options_.lease_max = absl::Seconds(40);
  Start();
  EXPECT_EQ(FetchThree().lease, absl::Seconds(30));
  EXPECT_EQ(FetchThree(absl::Hours(1)).lease, absl::Seconds(40));
}

// The server hears of it all along.
TEST_F(UnaryAccessTest, ALeaseMayBeLongerThanTheAckWait) {
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(2);
  Start(info);
  Call& call = FetchThree(absl::Seconds(20));
  loop_.RunFor(absl::Seconds(19));
  EXPECT_EQ(consumer().gauges().in_flight, 3u);
  SettleCall(call.ids);
  EXPECT_THAT(Asked(), ElementsAre("ACK ack.1.1", "ACK ack.2.1", "ACK ack.3.1"));
}

TEST_F(UnaryAccessTest, AnAckAfterTheLeaseIsForwardedOnceAndANakIsNot) {
  Start();
  Call& call = FetchThree(absl::Seconds(3));
  source_->EndPull();
  loop_.RunFor(absl::Seconds(3));
  const Strings naks = {"NAK ack.1.1", "NAK ack.2.1", "NAK ack.3.1"};
  EXPECT_EQ(Sent(), naks);
  EXPECT_EQ(SettleCall({call.ids[0]}, Verdict::kNak).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_EQ(SettleCall({call.ids[0]}, Verdict::kTerm).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_EQ(Sent(), naks);
  const Settled& late = SettleCall({call.ids[0], call.ids[0]});
  EXPECT_EQ(late.outcomes(), (std::vector{SettleOutcome::kLate, SettleOutcome::kNotHeld}));
  EXPECT_EQ(Sent().size(), 4u);
  EXPECT_EQ(Sent().back(), "ACK ack.1.1");
  EXPECT_EQ(consumer().counters().late, 1u);
}

TEST_F(UnaryAccessTest, OnlyTheLastOnesAreRemembered) {
  Start();
  Numbers ids;
  for (uint64_t sequence = 1; sequence <= Fetched::kMostRemembered + 1; ++sequence) {
    Call& call = Fetch({.lease = absl::Milliseconds(100)});
    loop_.RunFor(absl::Milliseconds(2));
    source_->SendRange(sequence, sequence);
    loop_.RunFor(absl::ZeroDuration());
    ASSERT_EQ(call.ids.size(), 1u);
    ids.push_back(call.ids[0]);
  }
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(SettleCall({ids[0]}).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_EQ(SettleCall({ids[1]}).outcomes(), (std::vector{SettleOutcome::kLate}));
}

// Calls share a session, so the id alone would do. Mutation: HandBack() without a new id.
TEST_F(UnaryAccessTest, WhatWentToAnotherCallIsNotTheFirstOnesAnyMore) {
  options_.ordering = Ordering::kKey;
  options_.key.subject_token = 2;
  Start();
  Call& first = Fetch({.lease = absl::Seconds(1)});
  source_->SendRange(1, 1);
  loop_.RunFor(absl::ZeroDuration());
  Call& second = Fetch({});
  loop_.RunFor(absl::Seconds(1));
  ASSERT_THAT(second.sequences, ElementsAre(1)) << "it keeps its place";
  EXPECT_TRUE(Sent().empty());
  for (Verdict verdict : {Verdict::kNak, Verdict::kTerm, Verdict::kAck, Verdict::kInProgress}) {
    EXPECT_EQ(SettleCall(first.ids, verdict).outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  }
  EXPECT_TRUE(Sent().empty());
  EXPECT_THAT(Asked(), IsEmpty());
  SettleCall(second.ids);
  EXPECT_THAT(Asked(), ElementsAre("ACK ack.1.1"));
}

// --- of an earlier daemon process ---

TEST_F(UnaryAccessTest, AnAckOnWhatAnEarlierProcessGaveOutIsPassedOnAndNothingElse) {
  Start();
  DeliveryToken token;
  token.reply = "ack.7.1";
  const std::vector<SettleTarget> targets = {{0, GoneDelivery(token)}};
  Settled acked, naked;
  consumer().unary().Settle(targets, {Verdict::kNak, absl::ZeroDuration(), {}},
                            [&](SettleAnswers answers) { naked.answers = std::move(answers); });
  EXPECT_EQ(naked.outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_THAT(naked.detail(), HasSubstr("only an ack"));
  consumer().unary().Settle(targets, {}, [&](SettleAnswers answers) { acked.answers = std::move(answers); });
  EXPECT_EQ(Asked(), (Strings{"ACK ack.7.1"}));
  EXPECT_FALSE(acked.answers.has_value());
  ConfirmAll();
  EXPECT_EQ(acked.outcomes(), (std::vector{SettleOutcome::kConfirmed}));
  EXPECT_TRUE(Sent().empty());
}

// --- drains ---

TEST_F(UnaryAccessTest, ADrainEndsCallsThatWaitWithWhatTheyHave) {
  Start();
  Call& filling = Fetch({.batch = 2});
  source_->SendRange(1, 1);
  Call& waiting = Fetch({});
  daemon_.Drain(absl::Seconds(10));
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_THAT(filling.sequences, ElementsAre(1));
  EXPECT_TRUE(filling.status.ok());
  ASSERT_TRUE(waiting.ended);
  EXPECT_TRUE(absl::IsUnavailable(waiting.status));
  EXPECT_THAT(waiting.status.message(), HasSubstr("draining"));
  const auto late = consumer().unary().Fetch({}, [](const FetchResult&) { FAIL(); });
  EXPECT_TRUE(absl::IsUnavailable(late.status()));
  source_->SendRange(2, 2);
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.2.1"})) << "nothing more is handed out";
}

TEST_F(UnaryAccessTest, ADrainAwaitsTheVerdictsOnWhatWasFetched) {
  Start();
  Call& call = FetchThree();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(5));
  EXPECT_EQ(consumer().phase(), DrainPhase::kSettling);
  Settled& settled = SettleCall(call.ids);
  ConfirmAll();
  EXPECT_EQ(settled.outcomes().size(), 3u);
  ConfirmAll();
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(consumer().drain_report().awaited, 3u);
  EXPECT_EQ(consumer().drain_report().acked, 3u);
  const Settled& late = SettleCall({call.ids[0]});
  EXPECT_EQ(late.outcomes(), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_THAT(late.detail(), HasSubstr("the drain is over"));
}

TEST_F(UnaryAccessTest, AtTheDeadlineOfADrainWhatWasFetchedIsNaked) {
  Start();
  FetchThree();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1", "NAK ack.3.1"}));
  EXPECT_EQ(consumer().drain_report().naked, 3u);
  EXPECT_TRUE(consumer().drain_report().deadline_exceeded);
}

}  // namespace
}  // namespace sluice::core
