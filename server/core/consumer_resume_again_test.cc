// What apps brought back by token, when JetStream delivers it again; and the order of its key.
#include "test/support/resume_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
