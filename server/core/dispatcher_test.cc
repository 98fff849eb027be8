// Who gets which message, seen from the apps' side.
#include "core/dispatcher.h"

#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;

class DispatcherTest : public test::ConsumerFixture {};

TEST_F(DispatcherTest, HandsOutInOrderUpToTheCredit) {
  Start();
  RecordingStream app;
  Open(&app, 3);
  source_->SendRange(1, 5);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2, 3}));
  EXPECT_EQ(consumer().gauges().buffered, 2u);
}

TEST_F(DispatcherTest, WhatWaitsGoesOutAsCreditComesBack) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 1);
  source_->SendRange(1, 3);
  Settle(session, {app.id_of(1)});
  Settle(session, {app.id_of(2)});
  EXPECT_EQ(app.sequences(), (Numbers{1, 2, 3}));
}

TEST_F(DispatcherTest, AppsTakeTurns) {
  Start();
  RecordingStream a, b;
  Open(&a, 10);
  Open(&b, 10);
  source_->SendRange(1, 6);
  EXPECT_EQ(a.sequences().size(), 3u);
  EXPECT_EQ(b.sequences().size(), 3u);
}

// However many apps go at once.
TEST_F(DispatcherTest, WhatComesBackOfManyIsHandedOutInOrderBeforeWhatCameLater) {
  Start();
  RecordingStream apps[4];
  std::vector<Session*> sessions;
  for (RecordingStream& app : apps) {
    sessions.push_back(Open(&app, 5));
    app.Block();
  }
  source_->SendRange(1, 20);
  for (Session* session : {sessions[2], sessions[0], sessions[3], sessions[1]}) session->OnBroken();
  EXPECT_EQ(consumer().gauges().buffered, 20u);
  RecordingStream successor;
  Open(&successor, 100);
  source_->SendRange(21, 25);
  Numbers all;
  for (uint64_t i = 1; i <= 25; ++i) all.push_back(i);
  EXPECT_EQ(successor.sequences(), all);
}

TEST_F(DispatcherTest, AnAppThatDoesNotReadHoldsUpNobodyElse) {
  Start();
  RecordingStream stuck, quick;
  Open(&stuck, 1000);
  stuck.Block();
  Open(&quick, 1000);
  source_->SendRange(1, 1000);
  EXPECT_TRUE(stuck.sequences().empty());
  EXPECT_GE(quick.sequences().size(), 1000u - 2 * OpenRequest::kMaxBatch);
}

TEST_F(DispatcherTest, PullsNoMoreThanTheAppsWouldTake) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 7);
  ASSERT_EQ(source_->pulls.size(), 1u);
  EXPECT_EQ(source_->pulls[0].batch, 7u);
  source_->SendRange(1, 7);
  EXPECT_EQ(source_->pulls.size(), 1u) << "no credit, no pull";
  Settle(session, {app.id_of(1), app.id_of(2)});
  loop_.RunFor(absl::Milliseconds(2));
  ASSERT_EQ(source_->pulls.size(), 2u);
  EXPECT_EQ(source_->pulls[1].batch, 2u);
}

TEST_F(DispatcherTest, ZeroCreditPausesAndKeepsWhatIsHeld) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 5);
  source_->SendRange(1, 2);
  session->OnCredit({0, 1 << 20});
  source_->SendRange(3, 4);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2}));
  session->OnCredit({5, 1 << 20});
  EXPECT_EQ(app.sequences(), (Numbers{1, 2, 3, 4}));
  Settle(session, {app.id_of(1)});
  EXPECT_EQ(Sent(), (test::Strings{"ACK ack.1.1"}));
}

TEST_F(DispatcherTest, BytesBoundWhatAnAppHoldsButALargeMessageGoesAlone) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 10);
  session->OnCredit({10, 100});
  std::vector<Message> messages;
  messages.push_back(test::MakeMessage(1, 1, std::string(300, 'x')));
  messages.push_back(test::MakeMessage(2, 1, std::string(40, 'x')));
  messages.push_back(test::MakeMessage(3, 1, std::string(40, 'x')));
  messages.push_back(test::MakeMessage(4, 1, std::string(40, 'x')));
  source_->Send(std::move(messages));
  EXPECT_EQ(app.sequences(), (Numbers{1}));
  Settle(session, {app.id_of(1)});
  EXPECT_EQ(app.sequences(), (Numbers{1, 2, 3})) << "two of 50 bytes fit into 100";
}

TEST_F(DispatcherTest, WhatFindsNoAppGoesBackAfterTheResumeWindow) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 1);
  source_->SendRange(1, 3);  // more than was asked for
  session->OnCredit({1, 1 << 20});
  loop_.RunFor(options_.resume_window);
  EXPECT_EQ(Sent(), (test::Strings{"NAK ack.2.1", "NAK ack.3.1"}));
  EXPECT_EQ(consumer().gauges().buffered, 0u);
}

TEST_F(DispatcherTest, WhatTheLastAppLeavesBehindGoesBackOnceThePullIsOver) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 3);
  source_->SendRange(1, 1);
  session->OnHalfClosed();
  source_->SendRange(2, 2);  // of the pull that was open
  EXPECT_EQ(Sent(), test::Strings()) << "a NAK would bounce";
  source_->EndPull(PullStatus::Kind::kExpired, 1);
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_EQ(Sent(), (test::Strings{"NAK ack.1.1", "NAK ack.2.1"}));
}

TEST_F(DispatcherTest, WhatWaitsForASiblingStaysWhenAnAppLeaves) {
  Start();
  RecordingStream app, sibling;
  Session* session = Open(&app, 1);
  Session* stays = Open(&sibling, 1);
  source_->SendRange(1, 3);  // more than was asked for
  session->OnHalfClosed();
  loop_.RunFor(options_.resume_window - absl::Milliseconds(1));
  EXPECT_EQ(Sent(), (test::Strings{"NAK ack.1.1"}));
  Settle(stays, {sibling.id_of(2)});
  EXPECT_EQ(sibling.sequences(), (Numbers{2, 3}));
}

}  // namespace
}  // namespace sluice::core
