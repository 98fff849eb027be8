#include "core/consumer.h"

#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;

class ConsumerTest : public test::ConsumerFixture {};

TEST_F(ConsumerTest, ALateAckIsForwardedALateNakOrTermIsNot) {
  options_.lease_max = absl::ZeroDuration();
  Start();
  RecordingStream app;
  Session* session = Open(&app, 10);
  source_->SendRange(1, 3);
  loop_.RunFor(absl::Seconds(31));
  ASSERT_NE(app.last<LeasesEndedNotice>(), nullptr);
  EXPECT_EQ(app.last<LeasesEndedNotice>()->ids, app.ids());
  Settle(session, {app.id_of(1)}, Verdict::kAck);
  Settle(session, {app.id_of(2)}, Verdict::kNak);
  Settle(session, {app.id_of(3)}, Verdict::kTerm);
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1"}));
  for (uint64_t id : app.ids()) EXPECT_EQ(app.outcomes(id), (std::vector{SettleOutcome::kLate}));
  EXPECT_EQ(consumer().counters().late, 3u);
  EXPECT_EQ(consumer().counters().leases_ended, 3u);
}

TEST_F(ConsumerTest, ExtendsLeasesFromReceiptOn) {
  Start();
  RecordingStream app;
  Open(&app, 1);
  source_->SendRange(1, 2);  // the second waits for credit
  loop_.RunFor(options_.resume_window - absl::Milliseconds(1));
  EXPECT_TRUE(source_->settled.empty());
  ConsumerInfo short_wait;
  short_wait.ack_wait = absl::Seconds(2);
  source_->listener->OnAttached(short_wait);
  source_->Send([] {
    std::vector<Message> messages;
    messages.push_back(test::MakeMessage(3));
    return messages;
  }());
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(source_->settled.back().reply, "ack.3.1");
  EXPECT_EQ(source_->settled.back().verdict, Verdict::kInProgress);
}

// In its lane it is kept without end. Mutation: StartLanes() that does not start its lease.
TEST_F(ConsumerTest, ALeaseBeginsWhenItsKeyLetsAMessageGo) {
  options_.ordering = Ordering::kKey;
  options_.lease_max = absl::Seconds(40);
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  source_->SendRange(1, 2);
  loop_.RunFor(absl::Seconds(30));
  Settle(session, {app.id_of(1)});
  ASSERT_EQ(app.sequences(), (Numbers{1, 2}));
  loop_.RunFor(absl::Seconds(30));
  EXPECT_EQ(app.last<LeasesEndedNotice>(), nullptr);
  loop_.RunFor(absl::Seconds(40));
  ASSERT_NE(app.last<LeasesEndedNotice>(), nullptr);
  EXPECT_EQ(app.last<LeasesEndedNotice>()->ids, (Numbers{app.id_of(2)}));
}

TEST_F(ConsumerTest, RefusesMoreStreamsThanAllowed) {
  options_.max_streams = 2;
  Start();
  RecordingStream a, b, c;
  Open(&a);
  Open(&b);
  OpenRequest request;
  request.consumer = "orders";
  const auto third = daemon_.Open(request, &c);
  EXPECT_TRUE(absl::IsResourceExhausted(third.status())) << third.status();
}

TEST_F(ConsumerTest, StateChangesAreTold) {
  Start();
  RecordingStream app;
  Open(&app);
  source_->listener->OnConnection(false);
  EXPECT_EQ(app.last<StateNotice>()->state, ConsumerState::kNatsDown);
  source_->ComeUp();
  EXPECT_EQ(app.last<StateNotice>()->state, ConsumerState::kServing);
}

TEST_F(ConsumerTest, VerdictsAreKeptWhileNatsIsAway) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 3);
  source_->SendRange(1, 3);
  source_->listener->OnConnection(false);
  Settle(session, app.ids());
  EXPECT_TRUE(Sent().empty());
  source_->ComeUp();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "ACK ack.2.1", "ACK ack.3.1"}));
}

TEST_F(ConsumerTest, OutsideOfADrainALastAttemptIsKeptForTheNextAppRatherThanDiscarded) {
  ConsumerInfo info;
  info.max_deliver = 2;
  Start(info);
  RecordingStream app, next;
  Session* session = Open(&app, 1);
  std::vector<Message> last;
  last.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(last));
  session->OnHalfClosed();
  EXPECT_TRUE(Sent().empty()) << "a NAK would make the server give it up";
  Open(&next, 1);
  EXPECT_EQ(next.sequences(), (Numbers{1}));
}

TEST_F(ConsumerTest, CountsWhatHappens) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 10);
  std::vector<Message> messages;
  messages.push_back(test::MakeMessage(1));
  messages.push_back(test::MakeMessage(2, 3));
  source_->Send(std::move(messages));
  EXPECT_EQ(consumer().gauges().in_flight, 2u);
  EXPECT_EQ(consumer().gauges().streams, 1u);
  Settle(session, {app.id_of(1)});
  Settle(session, {app.id_of(2)}, Verdict::kNak);
  const Counters counters = consumer().counters();
  EXPECT_EQ(counters.received, 2u);
  EXPECT_EQ(counters.redelivered, 1u);
  EXPECT_EQ(counters.delivered, 2u);
  EXPECT_EQ(counters.acked, 1u);
  EXPECT_EQ(counters.naked, 1u);
  EXPECT_EQ(counters.pulls, 1u);
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
}

class AppHealthOfAConsumerTest : public test::ConsumerFixture {
 protected:
  AppHealthOfAConsumerTest() { options_.app_health = {3, absl::Seconds(30)}; }

  // Three of its four messages have failed.
  void FailThreeOfFour() {
    Start();
    session_ = Open(&app_, 4);
    source_->SendRange(1, 4);
    Settle(session_, {app_.id_of(1), app_.id_of(2), app_.id_of(3)}, Verdict::kNak);
  }

  RecordingStream app_;
  Session* session_ = nullptr;
};

TEST_F(AppHealthOfAConsumerTest, PullsNothingAndThenOneMessageAtATime) {
  FailThreeOfFour();
  EXPECT_EQ(app_.last<StateNotice>()->state, ConsumerState::kProbing);
  EXPECT_EQ(consumer().state(), ConsumerState::kProbing);
  const size_t pulls = source_->pulls.size();
  loop_.RunFor(AppHealth::kBetweenProbes / 2);
  EXPECT_EQ(source_->pulls.size(), pulls);
  loop_.RunFor(AppHealth::kBetweenProbes);
  ASSERT_EQ(source_->pulls.size(), pulls + 1);
  EXPECT_EQ(source_->pulls.back().batch, 1u);
  source_->SendRange(5, 5);
  EXPECT_EQ(app_.ids().size(), 5u);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(source_->pulls.size(), pulls + 1) << "a probe is out";
}

TEST_F(AppHealthOfAConsumerTest, OneAckEndsTheProbing) {
  FailThreeOfFour();
  Settle(session_, {app_.id_of(4)});
  EXPECT_EQ(app_.last<StateNotice>()->state, ConsumerState::kServing);
  loop_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(source_->pulls.back().batch, 4u);
}

TEST_F(AppHealthOfAConsumerTest, AnAppThatCrashesAtEveryMessageIsBroken) {
  Start();
  for (uint64_t i = 1; i <= 3; ++i) {
    RecordingStream app;
    Session* session = Open(&app, 1);
    loop_.RunFor(absl::Milliseconds(10));
    source_->SendRange(i, i);
    EXPECT_EQ(consumer().state(), ConsumerState::kServing);
    session->OnBroken();
    source_->EndPull();
  }
  EXPECT_EQ(consumer().state(), ConsumerState::kProbing);
}

TEST_F(ConsumerTest, MeasuresHowLongAppsTake) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 5);
  source_->SendRange(1, 2);
  loop_.RunFor(absl::Milliseconds(30));
  const std::vector<uint64_t> ids = {app.id_of(2)};
  const SettleRun in_progress = {ids, {Verdict::kInProgress, absl::ZeroDuration(), {}}};
  session->OnSettle({&in_progress, 1});
  Settle(session, {app.id_of(1)});
  loop_.RunFor(absl::Milliseconds(40));
  Settle(session, {app.id_of(2)}, Verdict::kNak);
  const Histogram& took = consumer().process_duration();
  EXPECT_EQ(took.sum(), absl::Milliseconds(100)) << "of two verdicts; in-progress is none";
  EXPECT_EQ(took.count(3) + took.count(4), 2u) << "at most 50 and 100 ms";
}

}  // namespace
}  // namespace sluice::core
