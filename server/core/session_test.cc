#include "core/session.h"

#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;

class SessionTest : public test::ConsumerFixture {
 protected:
  SessionTest() { Start(); }
};

TEST_F(SessionTest, IsToldThatItIsOpenAndHowThingsStand) {
  RecordingStream app;
  Open(&app, 10);
  ASSERT_EQ(app.notices().size(), 2u);
  const auto* opened = app.last<OpenedNotice>();
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->stream, "ORDERS");
  EXPECT_EQ(opened->ack_wait, absl::Seconds(30));
  EXPECT_EQ(opened->max_lease, absl::Minutes(10));
  EXPECT_EQ(app.last<StateNotice>()->state, ConsumerState::kServing);
}

TEST_F(SessionTest, EachVerdictGoesToTheServer) {
  RecordingStream app;
  Session* session = Open(&app, 10);
  source_->SendRange(1, 3);
  Settle(session, {app.id_of(1)}, Verdict::kAck);
  Settle(session, {app.id_of(2)}, Verdict::kNak, absl::Seconds(5));
  Settle(session, {app.id_of(3)}, Verdict::kTerm);
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "NAK ack.2.1", "TERM ack.3.1"}));
  EXPECT_EQ(source_->settled[1].nak_delay, absl::Seconds(5));
  EXPECT_TRUE(app.outcomes(app.id_of(1)).empty());
}

TEST_F(SessionTest, AVerdictOnWhatIsNotHeldIsAnsweredAndChangesNothing) {
  RecordingStream app, other;
  Session* session = Open(&app, 10);
  source_->SendRange(1, 1);
  Session* thief = Open(&other, 10);
  const uint64_t id = app.id_of(1);
  Settle(thief, {id, 12345});
  EXPECT_EQ(other.outcomes(id), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_EQ(other.outcomes(12345), (std::vector{SettleOutcome::kNotHeld}));
  EXPECT_TRUE(Sent().empty());
  Settle(session, {id, id});
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1"}));
  EXPECT_EQ(app.outcomes(id), (std::vector{SettleOutcome::kNotHeld})) << "the second time";
  EXPECT_EQ(consumer().counters().not_held, 3u);
}

TEST_F(SessionTest, HalfCloseGivesBackAtOnceAscending) {
  RecordingStream app, sibling;
  Session* session = Open(&app, 3);
  source_->SendRange(1, 3);
  Open(&sibling, 1);
  session->OnHalfClosed();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1", "NAK ack.3.1"}));
  EXPECT_EQ(app.finished(), absl::OkStatus());
}

TEST_F(SessionTest, ANakWaitsForTheEndOfAPullThatItWouldBounceInto) {
  RecordingStream app;
  Session* session = Open(&app, 5);
  source_->SendRange(1, 2);  // the pull of five is still open
  session->OnHalfClosed();
  EXPECT_TRUE(Sent().empty());
  source_->EndPull();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
}

TEST_F(SessionTest, ABrokenStreamWithoutClientIdGivesBackWhatItHeld) {
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  session->OnBroken();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
}

TEST_F(SessionTest, ABrokenStreamWithClientIdKeepsItForTheResumeWindow) {
  RecordingStream app;
  Session* session = Open(&app, 2, "worker-1");
  source_->SendRange(1, 2);
  session->OnBroken();
  loop_.RunFor(options_.resume_window - absl::Milliseconds(1));
  EXPECT_TRUE(Sent().empty());
  loop_.RunFor(absl::Milliseconds(1));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
}

TEST_F(SessionTest, AnAppThatComesBackInTimeSettlesWhatItHolds) {
  RecordingStream app, again;
  Session* session = Open(&app, 5, "worker-1");
  source_->SendRange(1, 3);
  const Numbers ids = app.ids();
  session->OnBroken();
  Session* resumed = Open(&again, 5, "worker-1", ids);
  EXPECT_EQ(again.last<OpenedNotice>()->resumed, ids);
  EXPECT_TRUE(again.sequences().empty());
  Settle(resumed, ids);
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "ACK ack.2.1", "ACK ack.3.1"}));
}

TEST_F(SessionTest, WhatItDoesNotNameIsHandedOutAgainAsTheSameAttempt) {
  RecordingStream app, again;
  Session* session = Open(&app, 5, "worker-1");
  source_->SendRange(1, 3);
  session->OnBroken();
  Open(&again, 5, "worker-1", {app.id_of(2)});
  EXPECT_EQ(again.sequences(), (Numbers{1, 3}));
  EXPECT_TRUE(Sent().empty());
}

TEST_F(SessionTest, ASecondStreamOfAClientReplacesTheFirst) {
  RecordingStream app, again;
  Open(&app, 5, "worker-1");
  source_->SendRange(1, 2);
  Session* second = Open(&again, 5, "worker-1", app.ids());
  ASSERT_TRUE(app.finished().has_value());
  EXPECT_TRUE(absl::IsAborted(*app.finished()));
  Settle(second, app.ids());
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "ACK ack.2.1"}));
}

TEST_F(SessionTest, WhatWasNotWrittenYetGoesToASibling) {
  RecordingStream stuck, sibling;
  stuck.Block();
  Session* session = Open(&stuck, 5, "worker-1");
  source_->SendRange(1, 2);
  Open(&sibling, 5);
  session->OnBroken();
  EXPECT_EQ(sibling.sequences(), (Numbers{1, 2}));
  EXPECT_TRUE(Sent().empty());
}

TEST_F(SessionTest, AnAppsOwnDrainFinishesWhatItHoldsAndReports) {
  RecordingStream app, sibling;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  Open(&sibling, 2);
  session->OnDrain(absl::Seconds(10));
  EXPECT_EQ(app.last<DrainingNotice>()->reason, DrainReason::kApp);
  source_->SendRange(3, 4);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2}));
  EXPECT_EQ(sibling.sequences(), (Numbers{3, 4}));
  Settle(session, {app.id_of(1)});
  EXPECT_FALSE(app.finished().has_value());
  Settle(session, {app.id_of(2)}, Verdict::kTerm);
  ConfirmLast();
  ASSERT_EQ(app.finished(), absl::OkStatus());
  const DrainReport& report = app.last<DrainedNotice>()->report;
  EXPECT_EQ(report.awaited, 2u);
  EXPECT_EQ(report.acked, 1u);
  EXPECT_EQ(report.terminated, 1u);
  EXPECT_FALSE(report.deadline_exceeded);
}

TEST_F(SessionTest, AnAppsOwnDrainNaksTheRestAtItsDeadline) {
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  session->OnDrain(absl::Seconds(10));
  Settle(session, {app.id_of(2)});
  loop_.RunFor(absl::Seconds(10));
  ConfirmLast();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.2.1", "NAK ack.1.1"}));
  const auto* drained = app.last<DrainedNotice>();
  ASSERT_NE(drained, nullptr);
  EXPECT_EQ(drained->report.naked, 1u);
  EXPECT_TRUE(drained->report.deadline_exceeded);
}

TEST_F(SessionTest, FramesEndAtTheBatchAndAtTheByteLimit) {
  RecordingStream app;
  Session* session = Open(&app, 1000);
  app.Block();
  std::vector<Message> large;
  for (uint64_t i = 1; i <= 4; ++i) large.push_back(test::MakeMessage(i, 1, std::string(100 << 10, 'x')));
  source_->Send(std::move(large));
  app.Unblock(session);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2})) << "two of 100 KiB fit into 256 KiB, a third does not";
  session->OnWritable();
  EXPECT_EQ(app.sequences(), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(app.frames(), 2u);
}

}  // namespace
}  // namespace sluice::core
