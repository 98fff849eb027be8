#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::Numbers;
using test::RecordingStream;
using test::Strings;

class ConsumerDrainTest : public test::ConsumerFixture {};

TEST_F(ConsumerDrainTest, GoesThroughItsPhasesAndReports) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  Settle(session, {app.id_of(1)});
  ASSERT_EQ(source_->pulls.size(), 2u);

  daemon_.Drain(absl::Seconds(10));
  EXPECT_EQ(consumer().phase(), DrainPhase::kQuiescing);
  EXPECT_EQ(app.last<DrainingNotice>()->reason, DrainReason::kDaemon);
  source_->SendRange(3, 3);  // fulfils the open pull
  EXPECT_EQ(consumer().phase(), DrainPhase::kFencing);
  EXPECT_EQ(app.sequences(), (Numbers{1, 2})) << "nothing new to apps";
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1"})) << "no NAK before the fence";
  Fence();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "NAK ack.3.1"}));
  EXPECT_EQ(consumer().phase(), DrainPhase::kSettling);
  Settle(session, {app.id_of(2)});
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
  EXPECT_FALSE(app.finished().has_value());
  ConfirmLast();
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(daemon_.phase(), Daemon::Phase::kDrained);
  EXPECT_EQ(app.finished(), absl::OkStatus());
  const DrainReport& report = app.last<DrainedNotice>()->report;
  EXPECT_EQ(report.awaited, 1u);
  EXPECT_EQ(report.acked, 1u);
  EXPECT_EQ(report.released, 1u);
  EXPECT_EQ(report.unsettled, 0u);
}

TEST_F(ConsumerDrainTest, WhatWasNotWrittenIsReleasedAscending) {
  Start();
  RecordingStream app;
  app.Block();
  Open(&app, 5);
  source_->SendRange(1, 5);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1", "NAK ack.3.1", "NAK ack.4.1", "NAK ack.5.1"}));
}

TEST_F(ConsumerDrainTest, AnAppsNakWaitsForTheFenceToo) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 5);
  source_->SendRange(1, 2);
  daemon_.Drain(absl::Seconds(10));
  Settle(session, {app.id_of(2)}, Verdict::kNak);
  session->OnHalfClosed();
  EXPECT_TRUE(Sent().empty());
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
  EXPECT_EQ(consumer().drain_report().naked, 2u);
}

// Mutation: OnLeasesEnded() that answers the claims of dead letters alone (seed 5261 of DrainsWithOddApps).
TEST_F(ConsumerDrainTest, ANakWhoseLeaseEndsWhileItWaitsForTheFenceIsAnswered) {
  options_.lease_max = absl::Seconds(1);
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(2);
  Start(info);
  RecordingStream app;
  OpenRequest request;
  request.consumer = "orders";
  request.confirm_settlements = true;
  Session* session = *daemon_.Open(request, &app);
  source_->SendRange(1, 1);
  daemon_.Drain(absl::Seconds(10));
  const uint64_t id = app.id_of(1);
  Settle(session, {id}, Verdict::kNak);
  ASSERT_EQ(app.last<SettleResultsNotice>(), nullptr);
  loop_.RunFor(absl::Seconds(5));
  ASSERT_NE(app.last<SettleResultsNotice>(), nullptr);
  EXPECT_EQ(app.last<SettleResultsNotice>()->results[0].outcome, SettleOutcome::kLate);
  EXPECT_EQ(app.last<SettleResultsNotice>()->results[0].ids, (Numbers{id}));
}

// However long the open pull takes to end (seed 2780 of ExclusiveEverything). Mutation: BeginDrain() without Hold().
TEST_F(ConsumerDrainTest, WhatNoAppHasSeenIsKeptUntilTheFence) {
  options_.lease_max = absl::Seconds(1);
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(2);
  Start(info);
  source_->SendRange(1, 2);
  daemon_.Drain(absl::Seconds(10));
  loop_.RunFor(absl::Seconds(5));
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
}

// Mutation: StartLanes() that restarts its lease.
TEST_F(ConsumerDrainTest, WhatItsKeyLetsGoOnIsKeptUntilTheFence) {
  options_.ordering = Ordering::kKey;
  options_.lease_max = absl::Seconds(1);
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(2);
  Start(info);
  RecordingStream app;
  Session* session = Open(&app);
  source_->SendRange(1, 2);
  ASSERT_EQ(app.sequences(), (Numbers{1}));
  daemon_.Drain(absl::Seconds(10));
  Settle(session, {app.id_of(1)});
  loop_.RunFor(absl::Seconds(5));
  Fence();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "NAK ack.2.1"}));
}

TEST_F(ConsumerDrainTest, TheRestIsNakedAtTheDeadlineAndNamedInTheReport) {
  Start();
  RecordingStream app;
  Open(&app, 3);
  source_->SendRange(1, 3);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1", "NAK ack.3.1"}));
  ConfirmLast();
  const DrainReport& report = app.last<DrainedNotice>()->report;
  EXPECT_EQ(report.awaited, 3u);
  EXPECT_EQ(report.naked, 3u);
  EXPECT_TRUE(report.deadline_exceeded);
}

TEST_F(ConsumerDrainTest, LeasesAreKeptWhileAppsFinish) {
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(2);
  Start(info);
  RecordingStream app;
  Open(&app, 1);
  source_->SendRange(1, 1);
  daemon_.Drain(absl::Seconds(20));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_GE(consumer().counters().leases_extended, 9u);
  EXPECT_EQ(consumer().counters().leases_ended, 0u);
}

TEST_F(ConsumerDrainTest, AMessageOnItsLastDeliveryIsHandedOutInsteadOfDiscarded) {
  ConsumerInfo info;
  info.max_deliver = 3;
  Start(info);
  RecordingStream app;
  Session* session = Open(&app, 5);
  app.Block();
  std::vector<Message> messages;
  messages.push_back(test::MakeMessage(1, 3));
  messages.push_back(test::MakeMessage(2, 1));
  source_->Send(std::move(messages));
  daemon_.Drain(absl::Seconds(10));
  app.Unblock(session);
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.2.1"}));
  EXPECT_EQ(app.sequences(), (Numbers{1}));
  Settle(session, app.ids());
  ConfirmLast();
  EXPECT_EQ(app.last<DrainedNotice>()->report.unsettled, 0u);
  EXPECT_EQ(app.last<DrainedNotice>()->report.awaited, 1u);
}

TEST_F(ConsumerDrainTest, WithoutAnAppALastDeliveryIsNamedUnsettled) {
  ConsumerInfo info;
  info.max_deliver = 1;
  Start(info);
  RecordingStream app;
  app.Block();
  Session* session = Open(&app, 5);
  source_->SendRange(1, 1);
  session->OnBroken();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  ConfirmLast();
  EXPECT_TRUE(Sent().empty());
  EXPECT_EQ(daemon_.phase(), Daemon::Phase::kDrained);
  EXPECT_EQ(consumer().drain_report().unsettled, 1u);
}

TEST_F(ConsumerDrainTest, AnAppMayComeBackDuringTheDrainForWhatItHolds) {
  Start();
  RecordingStream app, again, stranger;
  Session* session = Open(&app, 2, "worker-1");
  source_->SendRange(1, 2);
  session->OnBroken();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  OpenRequest request;
  request.consumer = "orders";
  EXPECT_TRUE(absl::IsUnavailable(daemon_.Open(request, &stranger).status()));
  Session* resumed = Open(&again, 2, "worker-1", app.ids());
  EXPECT_NE(again.last<DrainingNotice>(), nullptr);
  Settle(resumed, app.ids());
  ConfirmLast();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "ACK ack.2.1"}));
  EXPECT_EQ(daemon_.phase(), Daemon::Phase::kDrained);
}

// Seed 3824 of AckAll: a message came before `Opened`, which is the first word on a stream.
TEST_F(ConsumerDrainTest, ALastDeliveryThatItsAppHasLostComesAfterOpened) {
  class Strict final : public AppStream {
   public:
    bool writable() const override { return true; }
    void Deliver(absl::Span<const Delivery* const> batch) override {
      EXPECT_TRUE(opened);
      given += batch.size();
    }
    void Tell(Notice notice) override { opened |= std::holds_alternative<OpenedNotice>(notice); }
    void Finish(absl::Status) override {}
    bool opened = false;
    size_t given = 0;
  };
  ConsumerInfo info;
  info.max_deliver = 1;
  Start(info);
  RecordingStream app;
  Session* session = Open(&app, 2, "worker-1");
  source_->SendRange(1, 1);
  session->OnBroken();
  daemon_.Drain(absl::Seconds(10));
  Fence();
  Strict again;
  OpenRequest request;
  request.consumer = "orders";
  request.client_id = "worker-1";
  ASSERT_TRUE(daemon_.Open(request, &again).ok());
  EXPECT_EQ(again.given, 1u);
}

TEST_F(ConsumerDrainTest, WithoutNatsItWaitsForAReconnectUntilTheDeadline) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  source_->listener->OnConnection(false);
  daemon_.Drain(absl::Seconds(10));
  source_->listener->OnIntakeClosed();
  Settle(session, app.ids());
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
  loop_.RunFor(absl::Seconds(9));
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(app.last<DrainedNotice>()->report.unsettled, 2u);
}

TEST_F(ConsumerDrainTest, ASlowServersLastWordIsAwaitedUntilTheDeadline) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  Settle(session, app.ids());
  loop_.RunFor(absl::Seconds(9));
  ASSERT_EQ(consumer().phase(), DrainPhase::kConfirming);
  ConfirmLast();
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(app.last<DrainedNotice>()->report.unsettled, 0u);
}

TEST_F(ConsumerDrainTest, AfterTheDeadlineASilentServerIsGivenTheConfirmTimeout) {
  Start();
  RecordingStream app;
  Open(&app, 2);
  source_->SendRange(1, 2);
  daemon_.Drain(absl::Seconds(10));
  Fence();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(consumer().phase(), DrainPhase::kConfirming);
  loop_.RunFor(options_.confirm_timeout);
  EXPECT_EQ(consumer().phase(), DrainPhase::kClosed);
  EXPECT_EQ(app.last<DrainedNotice>()->report.unsettled, 2u);
}

TEST_F(ConsumerDrainTest, AReconnectDuringTheDrainSavesTheVerdicts) {
  Start();
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  source_->listener->OnConnection(false);
  daemon_.Drain(absl::Seconds(10));
  source_->listener->OnIntakeClosed();
  Settle(session, app.ids());
  source_->listener->OnConnection(true);
  ConfirmLast();
  EXPECT_EQ(Sent(), (Strings{"ACK ack.1.1", "ACK ack.2.1"}));
  EXPECT_EQ(app.last<DrainedNotice>()->report.unsettled, 0u);
}

class RecordingLog final : public base::LogSink {
 public:
  RecordingLog() { base::SetLogSink(this); }
  ~RecordingLog() override { base::SetLogSink(nullptr); }
  bool Enabled(base::Severity severity) const override { return severity >= base::Severity::kWarning; }
  void Write(base::Severity, absl::string_view message, const std::vector<base::LogField>& fields) override {
    std::string line(message);
    for (const base::LogField& field : fields) absl::StrAppend(&line, " ", field.name, "=", field.value);
    lines.push_back(std::move(line));
  }

  std::vector<std::string> lines;
};

TEST_F(ConsumerDrainTest, TheLineAboutAMessageHasItsTrace) {
  ConsumerInfo info;
  info.max_deliver = 1;
  Start(info);
  RecordingStream app;
  app.Block();
  Session* session = Open(&app, 5);
  Message message = test::MakeMessage(7);
  message.headers = {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
  source_->listener->OnMessages({&message, 1});
  session->OnHalfClosed();
  RecordingLog log;
  daemon_.Drain(absl::Seconds(10));
  Fence();
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0],
            "unsettled: on its last delivery, a NAK would discard it stream=ORDERS consumer=orders stream_seq=7 "
            "delivery=1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736");
}

}  // namespace
}  // namespace sluice::core
