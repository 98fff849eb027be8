// A daemon whose predecessor was killed: the tokens are as that one gave them. The simulation plays both.
#include "test/support/resume_fixture.h"

namespace sluice::core {
namespace {

using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// --- tokens are given ---

TEST_F(ResumeTest, EachDeliveryOfAResumableStreamHasAToken) {
  Start(Info());
  RecordingStream app;
  Resume(&app, {});
  source_->SendRange(1, 2);
  ASSERT_EQ(app.given().size(), 2u);
  const DeliveryToken* token = book_.Find(app.given()[1].token);
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->stream, "ORDERS");
  EXPECT_EQ(token->durable, "orders");
  EXPECT_EQ(token->consumer_created_ns, kCreated);
  EXPECT_EQ(token->instance, kThis);
  EXPECT_EQ(token->id, app.id_of(2));
  EXPECT_EQ(token->reply, "ack.2.1");
  EXPECT_EQ(token->stream_sequence, 2u);
  EXPECT_EQ(token->num_delivered, 1u);
  EXPECT_EQ(token->bytes, 14u);
  EXPECT_GT(token->ack_deadline, loop_.now() + kAckWait / 2);
  EXPECT_LE(token->ack_deadline, loop_.now() + kAckWait);
  EXPECT_FALSE(token->has_key);
}

TEST_F(ResumeTest, OthersHaveNone) {
  Start(Info());
  RecordingStream app;
  Open(&app);
  source_->SendRange(1, 1);
  EXPECT_EQ(app.given()[0].token, "");
}

// Sealed for one app, and then given to another that did not ask.
TEST_F(ResumeTest, ATokenStaysWithItsStream) {
  Start(Info());
  RecordingStream first;
  Session* session = Resume(&first, {});
  source_->SendRange(1, 1);
  session->OnBroken();
  RecordingStream second;
  Open(&second, 10, "me");
  EXPECT_EQ(second.given()[0].token, "");
}

// --- what is adopted ---

// Mutation: an adoption that does not extend at once ("rocketmq#10278 loses a renewed handle when the proxy crashes").
TEST_F(ResumeTest, WhatIsAdoptedIsExtendedAtOnceAndKept) {
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = Given(1);
  Session* session = Resume(&app, {token});
  EXPECT_NE(IdOf(app, token), 0u);
  EXPECT_THAT(app.last<OpenedNotice>()->refused, IsEmpty());
  EXPECT_EQ(CountWpi("ack.1.1"), 1u);
  loop_.RunFor(kAckWait * 3);
  EXPECT_GT(CountWpi("ack.1.1"), 4u);
  Settle(session, {IdOf(app, token)});
  EXPECT_EQ(Sent(), Strings{"ACK ack.1.1"});
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
  loop_.RunFor(kAckWait);
  EXPECT_EQ(source_->settled.back().verdict, Verdict::kAck);
}

TEST_F(ResumeTest, EveryVerdictInTimeIsForwarded) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {Given(1), Given(2), Given(3)};
  Session* session = Resume(&app, tokens);
  Settle(session, {IdOf(app, tokens[0])}, Verdict::kNak);
  Settle(session, {IdOf(app, tokens[1])}, Verdict::kTerm);
  Settle(session, {IdOf(app, tokens[2])});
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "TERM ack.2.1", "ACK ack.3.1"}));
}

TEST_F(ResumeTest, CountsAgainstTheCredit) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {Given(1), Given(2)};
  Session* session = Resume(&app, tokens, "me", 2);
  EXPECT_THAT(source_->pulls, IsEmpty());
  Settle(session, {IdOf(app, tokens[0])});
  loop_.RunFor(absl::Milliseconds(2));
  ASSERT_EQ(source_->pulls.size(), 1u);
  EXPECT_EQ(source_->pulls[0].batch, 1u);
}

TEST_F(ResumeTest, NoClientIdIsNeeded) {
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = Given(1);
  Resume(&app, {token}, "");
  EXPECT_NE(IdOf(app, token), 0u);
}

// The app never learned of the first stream, and comes with what it has.
TEST_F(ResumeTest, TheSameTokenAgainIsTheSameDelivery) {
  Start(Info());
  RecordingStream first;
  RecordingStream second;
  const DeliveryToken token = Given(1);
  Resume(&first, {token})->OnBroken();
  Session* session = Resume(&second, {token});
  EXPECT_EQ(IdOf(second, token), IdOf(first, token));
  EXPECT_EQ(consumer().gauges().in_flight, 1u);
  Settle(session, {IdOf(second, token)});
  EXPECT_EQ(Sent(), Strings{"ACK ack.1.1"});
}

TEST_F(ResumeTest, AnotherAppDoesNotGetWhatOneHas) {
  Start(Info());
  RecordingStream first;
  RecordingStream second;
  const DeliveryToken token = Given(1);
  Resume(&first, {token}, "one");
  Resume(&second, {token}, "two");
  EXPECT_THAT(Reason(second), HasSubstr("another app has it"));
}

TEST_F(ResumeTest, ATokenOfThisDaemonIsItsDelivery) {
  Start(Info());
  RecordingStream first;
  Session* session = Resume(&first, {});
  source_->SendRange(1, 2);
  session->OnBroken();
  OpenRequest request = Request({}, "me", 10);
  for (const auto& given : first.given()) request.tokens.push_back({given.id, given.token});
  RecordingStream second;
  ASSERT_TRUE(daemon_.Open(request, &second).ok());
  EXPECT_THAT(second.last<OpenedNotice>()->resumed, ElementsAre(first.id_of(1), first.id_of(2)));
  EXPECT_THAT(second.given(), IsEmpty());
}

// --- what is refused: nothing is done with it ---

TEST_F(ResumeTest, WhatDoesNotHoldIsRefusedWithASentence) {
  ConsumerInfo info = Info();
  info.ack_floor = 10;
  Start(info);
  DeliveryToken other = Given(11);
  other.durable = "billing";
  DeliveryToken older = Given(12);
  older.consumer_created_ns = kCreated - 1;
  const DeliveryToken settled = Given(10);
  DeliveryToken mine = Given(13);
  mine.instance = kThis;  // but settled since
  OpenRequest request = Request({other, older, settled, mine}, "me", 10);
  request.tokens.push_back({5, "forged"});
  request.tokens.push_back({6, ""});
  RecordingStream app;
  ASSERT_TRUE(daemon_.Open(request, &app).ok());
  const OpenedNotice* opened = app.last<OpenedNotice>();
  EXPECT_THAT(opened->adopted, IsEmpty());
  std::vector<std::string> reasons;
  for (const auto& refused : opened->refused) reasons.push_back(refused.reason);
  EXPECT_THAT(reasons,
              ElementsAre("it is of the durable 'billing' of the stream 'ORDERS', and not of 'orders' of 'ORDERS'",
                          HasSubstr("made anew"), HasSubstr("has it as settled"), HasSubstr("settled or given back"),
                          HasSubstr("not a token"), HasSubstr("not a token")));
  EXPECT_EQ(opened->refused[4].held_id, 5u);
  loop_.RunFor(kAckWait);
  EXPECT_THAT(source_->settled, IsEmpty());
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
}

TEST_F(ResumeTest, WithoutAKeyEveryTokenIsRefused) {
  daemon_.SetTokens(nullptr);
  Start(Info());
  RecordingStream app;
  Resume(&app, {Given(1)});
  EXPECT_EQ(Reason(app), "this daemon gives no tokens");
  source_->SendRange(1, 1);
  EXPECT_EQ(app.given()[0].token, "");
}

// --- in doubt ---

// Mutation: a NAK that goes out in doubt.
TEST_F(ResumeTest, InDoubtOnlyAnAckIsForwarded) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {InDoubt(1), InDoubt(2), InDoubt(3)};
  Session* session = Resume(&app, tokens);
  Settle(session, {IdOf(app, tokens[0])}, Verdict::kNak);
  Settle(session, {IdOf(app, tokens[1])}, Verdict::kTerm);
  Settle(session, {IdOf(app, tokens[2])});
  EXPECT_EQ(Sent(), Strings{"ACK ack.3.1"});
  EXPECT_THAT(app.outcomes(IdOf(app, tokens[0])), ElementsAre(SettleOutcome::kLate));
  EXPECT_THAT(app.outcomes(IdOf(app, tokens[1])), ElementsAre(SettleOutcome::kLate));
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
  EXPECT_EQ(consumer().counters().late, 2u);
}

TEST_F(ResumeTest, ADeadlineOfAnotherClockIsInDoubt) {
  Start(Info());
  RecordingStream app;
  DeliveryToken token = Given(1);
  token.ack_deadline = loop_.now() + kAckWait * 2;
  Session* session = Resume(&app, {token});
  Settle(session, {IdOf(app, token)}, Verdict::kNak);
  EXPECT_THAT(Sent(), IsEmpty());
}

// It may have given it back.
TEST_F(ResumeTest, WhatADaemonGaveThatDidNotCrashIsInDoubt) {
  Start(Info());
  RecordingStream app;
  DeliveryToken token = Given(1);
  token.instance = kPredecessor + 7;
  Session* session = Resume(&app, {token});
  Settle(session, {IdOf(app, token)}, Verdict::kNak);
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(ResumeTest, WhatItsAppLeavesGoesBackButNotInDoubt) {
  Start(Info());
  RecordingStream app;
  Session* session = Resume(&app, {Given(1), InDoubt(2)});
  session->OnHalfClosed();
  source_->EndPull();
  EXPECT_EQ(Sent(), Strings{"NAK ack.1.1"});
  EXPECT_EQ(consumer().gauges().in_flight, 0u);
}

TEST_F(ResumeTest, ADrainAwaitsItAndItsReportAddsUp) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {Given(1), InDoubt(2), InDoubt(3), Given(4)};
  Session* session = Resume(&app, tokens);
  daemon_.Drain(absl::Seconds(5));
  Fence();
  Settle(session, {IdOf(app, tokens[0])});
  Settle(session, {IdOf(app, tokens[1])}, Verdict::kNak);
  loop_.RunFor(absl::Seconds(5));
  ConfirmLast();
  const DrainReport& report = app.last<DrainedNotice>()->report;
  EXPECT_EQ(report.awaited, 4u);
  EXPECT_EQ(report.acked, 1u);
  EXPECT_EQ(report.expired, 2u);
  EXPECT_EQ(report.naked, 1u);
  EXPECT_EQ(report.unsettled, 0u);
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "NAK ack.4.1"}));
}

// --- before the server has told of the durable ---

TEST_F(ResumeTest, OpenedWaitsUntilTheTokensCanBeJudged) {
  options_.name = "orders";
  options_.stream = "ORDERS";
  options_.durable = "orders";
  auto source = std::make_unique<test::ScriptedSource>();
  source_ = source.get();
  daemon_.AddConsumer(options_, std::move(source));
  RecordingStream app;
  const DeliveryToken token = Given(1);
  DeliveryToken older = Given(2);
  older.consumer_created_ns = 1;
  Session* session = Resume(&app, {token, older});
  Settle(session, {77});
  EXPECT_THAT(app.notices(), IsEmpty());
  source_->ComeUp(Info());
  ASSERT_FALSE(app.notices().empty());
  EXPECT_TRUE(std::holds_alternative<OpenedNotice>(app.notices().front()));
  EXPECT_NE(IdOf(app, token), 0u);
  EXPECT_EQ(IdOf(app, older), 0u);
  EXPECT_THAT(app.outcomes(77), ElementsAre(SettleOutcome::kNotHeld));
  EXPECT_EQ(CountWpi("ack.1.1"), 1u);
}

TEST_F(ResumeTest, ButNotForLongerThanAnAppIsPatient) {
  options_.name = "orders";
  auto source = std::make_unique<test::ScriptedSource>();
  source_ = source.get();
  daemon_.AddConsumer(options_, std::move(source));
  RecordingStream app;
  DeliveryToken token = Given(1);
  token.stream = token.durable = "";
  Resume(&app, {token});
  loop_.RunFor(absl::Seconds(6));
  EXPECT_THAT(Reason(app), HasSubstr("the durable cannot be looked at"));
}

TEST_F(ResumeTest, AnAppThatGoesMeanwhileIsForgotten) {
  auto source = std::make_unique<test::ScriptedSource>();
  source_ = source.get();
  options_.name = "orders";
  daemon_.AddConsumer(options_, std::move(source));
  RecordingStream broken;
  RecordingStream closed;
  RecordingStream drained;
  Resume(&broken, {Given(1)}, "one")->OnBroken();
  Resume(&closed, {Given(2)}, "two")->OnHalfClosed();
  Resume(&drained, {Given(3)}, "three")->OnDrain(absl::Seconds(1));
  EXPECT_THAT(broken.notices(), IsEmpty());
  EXPECT_TRUE(closed.finished()->ok());
  EXPECT_NE(drained.last<OpenedNotice>(), nullptr);
  EXPECT_NE(drained.last<DrainingNotice>(), nullptr);
  source_->ComeUp(Info());
  loop_.RunFor(absl::Seconds(6));
  EXPECT_THAT(source_->settled, IsEmpty());
}

}  // namespace
}  // namespace sluice::core
