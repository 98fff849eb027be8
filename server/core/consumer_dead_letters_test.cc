// Dead letters of one consumer, with the server, the apps and the stream of the dead letters played by hand.
#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;

class DeadLettersTest : public test::ConsumerFixture {
 protected:
  DeadLettersTest() {
    options_.dead_letter.subject = "dead.orders";
    options_.redelivery.max_attempts = 3;
  }
  void Send(uint64_t sequence, uint64_t num_delivered) {
    std::vector<Message> messages;
    messages.push_back(test::MakeMessage(sequence, num_delivered));
    source_->Send(std::move(messages));
  }
  // Delivered for the third time, and failed.
  void FailForGood(Session* session, RecordingStream& app, uint64_t sequence) {
    Send(sequence, 3);
    Settle(session, {app.id_of(sequence)}, Verdict::kNak);
  }
  // TERMs are requests.
  Strings Terminated() const {
    Strings replies;
    for (const auto& asked : source_->confirmations) {
      if (asked.verdict == Verdict::kTerm) replies.push_back(asked.reply);
    }
    return replies;
  }
  std::string Reason(size_t i) const { return dead_letters_->Header(i, dead_letter_header::kReason); }
  static ConsumerInfo LastOf(int64_t max_deliver) {
    ConsumerInfo info;
    info.max_deliver = max_deliver;
    return info;
  }
};

TEST_F(DeadLettersTest, TheLastFailureIsPublishedAndThenTerminated) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  ASSERT_EQ(dead_letters_->published.size(), 1u);
  EXPECT_EQ(Reason(0), "failed");
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kAttempts), "3");
  EXPECT_EQ(dead_letters_->published[0].data, "data");
  EXPECT_TRUE(Terminated().empty()) << "no stream has it yet";
  dead_letters_->Answer(0);
  EXPECT_EQ(Terminated(), (Strings{"ack.7.3"}));
  EXPECT_TRUE(Sent().empty()) << "and no NAK";
  EXPECT_EQ(consumer().counters().dead_lettered, 1u);
}

// Mutation: ReasonAfter() that asks for num_delivered at the arrival.
TEST_F(DeadLettersTest, DeliveriesAloneMakeNone) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 50);
  Settle(session, {app.id_of(1)});
  Send(2, 2);
  Settle(session, {app.id_of(2)}, Verdict::kNak);
  EXPECT_TRUE(dead_letters_->published.empty());
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.50", "NAK ack.2.2"}));
}

TEST_F(DeadLettersTest, ATermIsOneOnlyIfSo) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 1);
  Settle(session, {app.id_of(1)}, Verdict::kTerm);
  EXPECT_TRUE(dead_letters_->published.empty());
  EXPECT_EQ(Sent(), (Strings{"TERM ack.1.1"}));
}

TEST_F(DeadLettersTest, WithOnTermATermIsPublishedFirst) {
  options_.dead_letter.on_term = true;
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 1);
  const uint64_t id = app.id_of(1);
  const SettleRun run = {{&id, 1}, {Verdict::kTerm, absl::ZeroDuration(), "no such customer"}};
  session->OnSettle({&run, 1});
  EXPECT_TRUE(Sent().empty());
  EXPECT_EQ(Reason(0), "terminated");
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kDetail), "no such customer");
  dead_letters_->Answer(0);
  EXPECT_EQ(Terminated(), (Strings{"ack.1.1"}));
}

TEST_F(DeadLettersTest, PastMaxDeliveriesNoAppSeesItAgain) {
  options_.dead_letter.max_deliveries = 5;
  Start();
  RecordingStream app;
  Open(&app);
  Send(1, 5);
  Send(2, 6);
  EXPECT_EQ(app.sequences(), (Numbers{1}));
  ASSERT_EQ(dead_letters_->published.size(), 1u);
  EXPECT_EQ(Reason(0), "max_deliveries");
}

// Mutation: a failed publication that is forgotten.
TEST_F(DeadLettersTest, WhatCannotBeStoredGoesBackWithADelayAndIsTold) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  dead_letters_->Answer(0, absl::UnavailableError("no stream holds it"));
  ASSERT_EQ(source_->settled.size(), 1u);
  EXPECT_EQ(source_->settled[0].verdict, Verdict::kNak);
  EXPECT_EQ(source_->settled[0].nak_delay, DeadLetters::kLeastRetry);
  EXPECT_EQ(consumer().counters().dead_letter_failures, 1u);
  EXPECT_EQ(consumer().state_detail(), "dead letters cannot be stored: no stream holds it");
  EXPECT_EQ(app.last<StateNotice>()->detail, consumer().state_detail());
  FailForGood(session, app, 8);
  dead_letters_->Answer(1);
  EXPECT_EQ(consumer().state_detail(), "");
}

TEST_F(DeadLettersTest, TheLongerItFailsTheLongerItWaits) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 1);
  dead_letters_->Answer(0, absl::UnavailableError("no"));
  loop_.RunFor(absl::Seconds(10));
  FailForGood(session, app, 2);
  dead_letters_->Answer(1, absl::UnavailableError("no"));
  EXPECT_EQ(source_->settled.back().nak_delay, absl::Seconds(10));
  loop_.RunFor(absl::Minutes(1));
  FailForGood(session, app, 3);
  dead_letters_->Answer(2, absl::UnavailableError("no"));
  EXPECT_EQ(source_->settled.back().nak_delay, DeadLetters::kMostRetry);
}

// Mutation: OnDeadLetterFailed() that NAKs in any case.
TEST_F(DeadLettersTest, OnItsLastDeliveryItIsKeptAndTriedAgainFromHere) {
  Start(LastOf(3));
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  dead_letters_->Answer(0, absl::UnavailableError("no"));
  EXPECT_TRUE(Sent().empty()) << "a NAK would be the end of it";
  loop_.RunFor(DeadLetters::kLeastRetry);
  ASSERT_EQ(dead_letters_->published.size(), 2u);
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kMsgId), dead_letters_->Header(1, dead_letter_header::kMsgId));
  dead_letters_->Answer(1);
  EXPECT_EQ(Terminated(), (Strings{"ack.7.3"}));
}

TEST_F(DeadLettersTest, ItsLeaseIsKeptMeanwhile) {
  ConsumerInfo info = LastOf(3);
  info.ack_wait = absl::Seconds(2);
  options_.lease_max = absl::Seconds(3);
  Start(info);
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  loop_.RunFor(absl::Seconds(20));
  EXPECT_EQ(consumer().counters().leases_ended, 0u);
  dead_letters_->Answer(0);
  EXPECT_EQ(Terminated(), (Strings{"ack.7.3"}));
}

TEST_F(DeadLettersTest, AFailureOnTheLastDeliveryIsOneWhateverTheAttempts) {
  options_.redelivery.max_attempts = 100;
  Start(LastOf(3));
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  ASSERT_EQ(dead_letters_->published.size(), 1u);
  EXPECT_EQ(Reason(0), "last_delivery");
}

TEST_F(DeadLettersTest, ItsSuccessorsInTheKeyWaitForIt) {
  options_.ordering = Ordering::kKey;
  options_.key.subject_token = 1;  // "orders", all of them
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 3);
  Send(2, 1);
  Settle(session, {app.id_of(1)}, Verdict::kNak);
  dead_letters_->Answer(0, absl::UnavailableError("no"));
  loop_.RunFor(DeadLetters::kLeastRetry);
  EXPECT_EQ(app.sequences(), (Numbers{1}));
  EXPECT_TRUE(Sent().empty());
  dead_letters_->Answer(1);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2}));
}

// The time of the first attempt is that of the first one which this daemon had.
TEST_F(DeadLettersTest, TellsWhenTheFirstAttemptWas) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  const absl::Time first = loop_.now();
  Send(1, 1);
  Settle(session, {app.id_of(1)}, Verdict::kNak);
  loop_.RunFor(absl::Seconds(5));
  FailForGood(session, app, 1);
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kFirstAttempt),
            absl::FormatTime("%Y-%m-%d%ET%H:%M:%E9SZ", first, absl::UTCTimeZone()));
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kLastAttempt),
            absl::FormatTime("%Y-%m-%d%ET%H:%M:%E9SZ", loop_.now(), absl::UTCTimeZone()));
}

TEST_F(DeadLettersTest, ADeadLetterThatComesBackIsNotOneAgain) {
  options_.dead_letter.subject = "orders.new";  // the subject of all messages here
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  EXPECT_TRUE(dead_letters_->published.empty());
  EXPECT_EQ(Sent(), (Strings{"NAK ack.7.3"}));
}

// --- drains ---

// Mutation: ReasonAfter() that does not ask whether there is a drain.
TEST_F(DeadLettersTest, AFailureWhileDrainingMakesNone) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 3);
  daemon_.Drain(absl::Seconds(10));
  Settle(session, {app.id_of(1)}, Verdict::kNak);
  Fence();
  EXPECT_TRUE(dead_letters_->published.empty());
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.3"}));
}

TEST_F(DeadLettersTest, AFailureWhileItsAppDrainsMakesNone) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  Send(1, 3);
  session->OnDrain(std::nullopt);
  Settle(session, {app.id_of(1)}, Verdict::kNak);
  EXPECT_TRUE(dead_letters_->published.empty());
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.3"}));
}

// Mutation: CheckSettled() that does not wait for them.
TEST_F(DeadLettersTest, ADrainWaitsForWhatIsOnItsWay) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  EXPECT_EQ(consumer().phase(), DrainPhase::kSettling);
  EXPECT_EQ(dead_letters_->stops, 1);
  dead_letters_->Answer(0);
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
  EXPECT_EQ(consumer().drain_report().awaited, 1u);
  EXPECT_EQ(consumer().drain_report().dead_lettered, 1u);
}

TEST_F(DeadLettersTest, AtTheDeadlineWhatIsOnItsWayIsNaked) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.7.3"}));
  EXPECT_TRUE(Terminated().empty());
  EXPECT_EQ(consumer().drain_report().awaited, 1u);
  EXPECT_EQ(consumer().drain_report().naked, 1u);
}

TEST_F(DeadLettersTest, WhatCannotBeStoredInADrainGoesBackAtOnce) {
  Start();
  RecordingStream app;
  Session* session = Open(&app);
  FailForGood(session, app, 7);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  dead_letters_->Answer(0, absl::UnavailableError("no"));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.7.3"}));
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
}

TEST_F(DeadLettersTest, InADrainALastDeliveryThatNoAppTakesIsOne) {
  Start(LastOf(1));
  RecordingStream app;
  app.Block();
  Session* session = Open(&app);
  Send(1, 1);
  session->OnCredit({.messages = 0});
  daemon_.Drain(absl::Seconds(10));
  Fence();
  ASSERT_EQ(dead_letters_->published.size(), 1u);
  EXPECT_EQ(Reason(0), "last_delivery");
  dead_letters_->Answer(0);
  EXPECT_EQ(Terminated(), (Strings{"ack.1.1"}));
  EXPECT_EQ(consumer().drain_report().dead_lettered, 1u);
  EXPECT_EQ(consumer().drain_report().unsettled, 0u);
}

TEST_F(DeadLettersTest, ALastDeliveryThatCannotBeStoredIsNamedInTheEnd) {
  Start(LastOf(1));
  RecordingStream app;
  Open(&app);
  Send(1, 1);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  ASSERT_EQ(dead_letters_->published.size(), 1u) << "its app was given the time that there was";
  EXPECT_EQ(consumer().phase(), DrainPhase::kSettling);
  loop_.RunFor(options_.confirm_timeout);
  EXPECT_NE(consumer().phase(), DrainPhase::kSettling);
  EXPECT_EQ(consumer().drain_report().unsettled, 1u);
  EXPECT_TRUE(Sent().empty());
}

// --- what the server has given up ---

Message Stored(uint64_t sequence) {
  Message message = test::MakeMessage(sequence, 0);
  message.timestamp_ns = 1000;
  return message;
}

TEST_F(DeadLettersTest, WhatTheServerGaveUpIsLookedUpAndPublished) {
  Start();
  dead_letters_->listener->OnGivenUp(7, 5);
  EXPECT_EQ(dead_letters_->fetched, (Numbers{7}));
  dead_letters_->listener->OnFetched(7, Stored(7));
  ASSERT_EQ(dead_letters_->published.size(), 1u);
  EXPECT_EQ(Reason(0), "given_up");
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kAttempts), "5");
  EXPECT_EQ(dead_letters_->Header(0, dead_letter_header::kMsgId), DeadLetterId("ORDERS", "orders", 7, 1000));
  dead_letters_->Answer(0);
  EXPECT_EQ(consumer().counters().dead_lettered, 1u);
  EXPECT_TRUE(Terminated().empty()) << "nobody holds it";
}

TEST_F(DeadLettersTest, WhatTheServerGaveUpIsTriedAgain) {
  Start();
  dead_letters_->listener->OnGivenUp(7, 5);
  dead_letters_->listener->OnFetched(7, absl::DeadlineExceededError("no answer"));
  loop_.RunFor(DeadLetters::kLeastRetry);
  EXPECT_EQ(dead_letters_->fetched, (Numbers{7, 7}));
  dead_letters_->listener->OnFetched(7, Stored(7));
  dead_letters_->Answer(0, absl::UnavailableError("no"));
  loop_.RunFor(DeadLetters::kMostRetry);
  EXPECT_EQ(dead_letters_->fetched, (Numbers{7, 7, 7}));
}

TEST_F(DeadLettersTest, WhatIsGoneFromTheStreamIsCounted) {
  Start();
  dead_letters_->listener->OnGivenUp(7, 5);
  dead_letters_->listener->OnFetched(7, absl::NotFoundError("no message found"));
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(dead_letters_->fetched, (Numbers{7}));
  EXPECT_EQ(consumer().counters().dead_letter_failures, 1u);
  EXPECT_EQ(consumer().state_detail(), "");
}

TEST_F(DeadLettersTest, ManyAreLookedUpAFewAtATime) {
  Start();
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) dead_letters_->listener->OnGivenUp(sequence, 5);
  EXPECT_EQ(dead_letters_->fetched.size(), DeadLetters::kMostFetches);
  dead_letters_->listener->OnFetched(1, Stored(1));
  dead_letters_->Answer(0);
  EXPECT_EQ(dead_letters_->fetched.size(), DeadLetters::kMostFetches + 1);
}

TEST_F(DeadLettersTest, ADrainNamesWhatItCouldNotStore) {
  Start();
  dead_letters_->listener->OnGivenUp(7, 5);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  EXPECT_EQ(consumer().phase(), DrainPhase::kSettling);
  loop_.RunFor(absl::Seconds(10) + options_.confirm_timeout);
  ConfirmLast();
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(consumer().drain_report().unsettled, 1u);
}

}  // namespace
}  // namespace sluice::core
