// A daemon whose predecessor was killed: the tokens are as that one gave them. The simulation plays both.
#include <memory>

#include "gmock/gmock.h"
#include "test/support/consumer_fixture.h"
#include "test/support/token_book.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kPredecessor = 1;
constexpr uint64_t kThis = 2;
constexpr int64_t kCreated = 1'700'000'000'000'000'000;
constexpr absl::Duration kAckWait = absl::Seconds(30);

class ResumeTest : public test::ConsumerFixture {
 protected:
  ResumeTest() {
    daemon_.SetTokens(&tokens_);
    book_.MarkCrashed(kPredecessor);
  }

  static ConsumerInfo Info() {
    ConsumerInfo info;
    info.ack_wait = kAckWait;
    info.created_ns = kCreated;
    return info;
  }

  // Of a delivery by the predecessor, just now.
  DeliveryToken Given(uint64_t sequence) const {
    DeliveryToken token;
    token.stream = "ORDERS";
    token.durable = "orders";
    token.consumer_created_ns = kCreated;
    token.instance = kPredecessor;
    token.id = 1000 + sequence;
    token.reply = absl::StrCat("ack.", sequence, ".1");
    token.stream_sequence = token.consumer_sequence = sequence;
    token.num_delivered = 1;
    token.ack_deadline = loop_.now() + kAckWait / 2;
    token.bytes = 100;
    return token;
  }
  DeliveryToken InDoubt(uint64_t sequence) const {
    DeliveryToken token = Given(sequence);
    token.ack_deadline = loop_.now();
    return token;
  }

  Session* Resume(RecordingStream* stream, const std::vector<DeliveryToken>& tokens,
                  const std::string& client_id = "me", uint32_t credit = 10) {
    OpenRequest request = Request(tokens, client_id, credit);
    auto session = daemon_.Open(request, stream);
    EXPECT_TRUE(session.ok()) << session.status();
    return *session;
  }
  OpenRequest Request(const std::vector<DeliveryToken>& tokens, const std::string& client_id, uint32_t credit) {
    OpenRequest request;
    request.consumer = "orders";
    request.client_id = client_id;
    request.credit.messages = credit;
    request.resumable = true;
    for (const DeliveryToken& token : tokens) request.tokens.push_back({token.id, book_.Add(token)});
    return request;
  }

  // The id under which the app goes on; 0: it was refused.
  static uint64_t IdOf(const RecordingStream& app, const DeliveryToken& token) {
    for (const auto& adopted : app.last<OpenedNotice>()->adopted) {
      if (adopted.held_id == token.id) return adopted.id;
    }
    return 0;
  }
  // Why the only token was refused.
  static std::string Reason(const RecordingStream& app) {
    const OpenedNotice* opened = app.last<OpenedNotice>();
    EXPECT_THAT(opened->adopted, IsEmpty());
    return opened->refused.size() == 1 ? opened->refused[0].reason : "";
  }
  uint64_t CountWpi(const std::string& reply) const {
    uint64_t count = 0;
    for (const auto& settled : source_->settled)
      count += settled.verdict == Verdict::kInProgress && settled.reply == reply;
    return count;
  }

  test::TokenBook book_;
  test::BookTokens tokens_{&book_, kThis};
};

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

// --- JetStream delivers it again ---

// Mutation: no merge.
TEST_F(ResumeTest, ARedeliveryOfWhatAnAppIsAtIsNotHandedOutButGetsItsVerdict) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {InDoubt(1), InDoubt(2)};
  Session* session = Resume(&app, tokens);
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  again.push_back(test::MakeMessage(2, 2));
  source_->Send(std::move(again));
  EXPECT_THAT(app.given(), IsEmpty());
  Settle(session, {IdOf(app, tokens[0])}, Verdict::kNak);  // no doubt any more
  Settle(session, {IdOf(app, tokens[1])});
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.2", "ACK ack.2.2"}));
}

// Whatever its number, it is another message's life: what its namesake delivered is not in it (seed 10534 of
// Everything). Mutation: Merge() that goes by the number alone.
TEST_F(ResumeTest, WhatADurableMadeAnewDeliversIsNotTakenForARedelivery) {
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = InDoubt(1);
  Session* session = Resume(&app, {token});
  ConsumerInfo anew = Info();
  anew.created_ns = kCreated + 1;
  source_->listener->OnAttached(anew);
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(again));
  EXPECT_EQ(app.sequences(), Numbers{1});
  Settle(session, {IdOf(app, token)}, Verdict::kNak);
  EXPECT_THAT(Sent(), IsEmpty()) << "still in doubt";
}

TEST_F(ResumeTest, OnceItIsSettledARedeliveryIsHandedOut) {
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = Given(1);
  Session* session = Resume(&app, {token});
  Settle(session, {IdOf(app, token)}, Verdict::kNak);
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(again));
  EXPECT_EQ(app.sequences(), Numbers{1});
}

TEST_F(ResumeTest, OnceItsLeaseIsOverARedeliveryIsHandedOut) {
  options_.lease_max = kAckWait * 2;
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = Given(1);
  Session* session = Resume(&app, {token});
  loop_.RunFor(kAckWait * 4);
  EXPECT_THAT(app.last<LeasesEndedNotice>()->ids, ElementsAre(IdOf(app, token)));
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(again));
  EXPECT_EQ(app.sequences(), Numbers{1});
  Settle(session, {IdOf(app, token)});
  EXPECT_EQ(Sent(), Strings{"ACK ack.1.1"});
}

// It came before its app, and there was no other.
TEST_F(ResumeTest, ARedeliveryThatNoAppHasSeenIsWhatTheAppGoesOnFor) {
  Start(Info());
  RecordingStream filler;
  Session* full = Open(&filler, 1);
  std::vector<Message> messages;
  messages.push_back(test::MakeMessage(7));
  messages.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(messages));
  EXPECT_EQ(filler.sequences(), Numbers{7});
  RecordingStream app;
  const DeliveryToken token = InDoubt(1);
  Session* session = Resume(&app, {token});
  EXPECT_THAT(app.given(), IsEmpty());
  Settle(full, {filler.id_of(7)});
  EXPECT_EQ(filler.sequences(), Numbers{7});
  Settle(session, {IdOf(app, token)});
  EXPECT_EQ(Sent(), (Strings{"ACK ack.7.1", "ACK ack.1.2"}));
}

TEST_F(ResumeTest, ARedeliveryThatAnotherAppHasIsNotTakenFromIt) {
  Start(Info());
  RecordingStream other;
  Open(&other);
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(again));
  RecordingStream app;
  Resume(&app, {InDoubt(1)});
  EXPECT_THAT(Reason(app), HasSubstr("JetStream has delivered it again, and another app has it"));
  EXPECT_THAT(Sent(), IsEmpty());
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

// --- order ---

class OrderedResumeTest : public ResumeTest {
 protected:
  OrderedResumeTest() {
    options_.ordering = Ordering::kKey;
    options_.key.subject_token = 1;  // "orders": all of one key
  }
  DeliveryToken WithKey(DeliveryToken token, const std::string& key = "orders") const {
    token.has_key = true;
    token.key = key;
    return token;
  }
};

TEST_F(OrderedResumeTest, TheTokenHasTheKey) {
  Start(Info());
  RecordingStream app;
  Resume(&app, {});
  source_->SendRange(1, 1);
  const DeliveryToken* token = book_.Find(app.given()[0].token);
  EXPECT_TRUE(token->has_key);
  EXPECT_EQ(token->key, "orders");
}

TEST_F(OrderedResumeTest, WhatIsAdoptedHoldsUpItsKeyAndNoOther) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {WithKey(Given(1)), WithKey(Given(2), "another")};
  Session* session = Resume(&app, tokens);
  source_->SendRange(5, 6);
  EXPECT_THAT(app.given(), IsEmpty());
  Settle(session, {IdOf(app, tokens[0])});
  EXPECT_EQ(app.sequences(), Numbers{5});
}

TEST_F(OrderedResumeTest, UntilTheLastOneOfThem) {
  Start(Info());
  RecordingStream app;
  const std::vector<DeliveryToken> tokens = {WithKey(Given(1)), WithKey(Given(2))};
  Session* session = Resume(&app, tokens);
  source_->SendRange(5, 5);
  Settle(session, {IdOf(app, tokens[0])});
  EXPECT_THAT(app.given(), IsEmpty());
  Settle(session, {IdOf(app, tokens[1])});
  EXPECT_EQ(app.sequences(), Numbers{5});
}

TEST_F(OrderedResumeTest, WhatNoAppHasSeenWaitsForIt) {
  Start(Info());
  RecordingStream filler;
  filler.Block();
  Session* blocked = Open(&filler);
  source_->SendRange(5, 5);  // queued
  RecordingStream app;
  const DeliveryToken token = WithKey(Given(1));
  Session* session = Resume(&app, {token});
  filler.Unblock(blocked);
  EXPECT_THAT(filler.given(), IsEmpty());
  Settle(session, {IdOf(app, token)});
  EXPECT_EQ(filler.given().size() + app.given().size(), 1u);
}

// Its content is not here, so it cannot be tried again from here.
TEST_F(OrderedResumeTest, AFailedOneGoesToJetStreamAndItsSuccessorsWait) {
  Start(Info());
  RecordingStream app;
  const DeliveryToken token = WithKey(Given(1));
  Session* session = Resume(&app, {token});
  source_->SendRange(5, 5);
  Settle(session, {IdOf(app, token)}, Verdict::kNak);
  EXPECT_EQ(Sent(), Strings{"NAK ack.1.1"});
  EXPECT_THAT(app.given(), IsEmpty());
  std::vector<Message> again;
  again.push_back(test::MakeMessage(1, 2));
  source_->Send(std::move(again));
  EXPECT_EQ(app.sequences(), Numbers{1});
}

// It waited behind another one of its key when its app came.
TEST_F(OrderedResumeTest, ARedeliveryThatWaitsIsTakenOutOfItsLane) {
  Start(Info());
  RecordingStream other;
  Session* holder = Open(&other, 1);
  std::vector<Message> messages;
  messages.push_back(test::MakeMessage(1));
  messages.push_back(test::MakeMessage(2, 2));
  messages.push_back(test::MakeMessage(3));
  source_->Send(std::move(messages));
  RecordingStream app;
  const DeliveryToken token = WithKey(InDoubt(2));
  Session* session = Resume(&app, {token});
  Settle(holder, {other.id_of(1)});
  EXPECT_THAT(app.given(), IsEmpty()) << "3 waits for 2";
  session->OnHalfClosed();  // it has content, and goes to the sibling
  EXPECT_EQ(other.sequences(), (Numbers{1, 2}));
}

}  // namespace
}  // namespace sluice::core
