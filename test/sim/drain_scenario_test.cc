// The end of a daemon.
#include <algorithm>

#include "gmock/gmock.h"
#include "test/sim/scenario.h"

namespace sluice::test {
namespace {

using core::Verdict;
using testing::ElementsAre;
using testing::IsEmpty;

class DrainScenario : public Scenario {};

// The defect that the fence is there for is in the model: an UNSUB behind an open pull strands its batch.
TEST_F(DrainScenario, TheModelStrandsABatchIfThePullIsStillOpen) {
  server_options.most_pull_queueing = absl::Milliseconds(50);
  source_options.most_latency = absl::Milliseconds(1);
  class Silent final : public core::MessageSource::Listener {
    void OnMessages(absl::Span<core::Message>) override {}
    void OnPullStatus(const core::PullStatus&) override {}
    void OnAttached(const absl::StatusOr<core::ConsumerInfo>&) override {}
    void OnInfo(const absl::StatusOr<core::ConsumerInfo>&) override {}
    void OnConfirmed(uint64_t, const absl::Status&) override {}
    void OnIntakeClosed() override {}
    void OnUnpinned(const absl::Status&) override {}
    void OnConnection(bool) override {}
  } listener;
  SimLoop loop;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    source_options.seed = server_options.seed = seed;
    ModelJetStream server(&loop.timers(), server_options, this);
    for (int i = 0; i < 10; ++i) server.Publish("orders.new", "x");
    ModelSource source(&server, &loop.timers(), source_options, this);
    source.Start(&listener);
    loop.RunFor(absl::Milliseconds(10));
    source.Attach();
    loop.RunFor(absl::Milliseconds(10));
    source.Pull({.id = 1, .batch = 10, .max_bytes = 0, .expires = absl::Seconds(1), .heartbeat = absl::ZeroDuration()});
    source.CloseIntake();
    loop.RunFor(absl::Seconds(2));
  }
  EXPECT_GT(delivered_to_nobody, 0);
}

TEST_F(DrainScenario, ABusyDrainStrandsNothing) {
  server_options.stale_waiters = true;
  source_options.cluster = true;
  options.pull_batch = 20;
  for (int drain = 0; drain < 100; ++drain) {
    source_options.seed = drain;
    TestDaemon& daemon = StartDaemon();
    TestApp& app = Open(daemon, {.messages = 40});
    size_t acked = 0;
    for (int step = 0; step < 20 || !daemon.report; ++step) {
      if (step == 10 + drain % 10) Drain(daemon, absl::Seconds(5));
      Publish(drain % 7);
      RunFor(absl::Microseconds(300 + 10 * drain));
      const std::vector<uint64_t> ids = app.stream.ids();
      const std::vector<uint64_t> fresh(ids.begin() + acked, ids.end());
      acked = ids.size();
      const core::SettleRun run = {fresh, {}};
      if (!daemon.report) app.session->OnSettle({&run, 1});
    }
    EXPECT_EQ(server().num_ack_pending(), daemon.report->released) << "drain " << drain;
  }
  EXPECT_EQ(delivered_to_nobody, 0);
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(DrainScenario, WhatTheAppsFinishIsAckedAndTheRestIsNakedAtTheDeadline) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 5; }));
  const absl::Time began = now();
  Drain(daemon, absl::Seconds(3));
  ASSERT_NE(app.stream.last<core::DrainingNotice>(), nullptr);
  EXPECT_EQ(app.stream.last<core::DrainingNotice>()->deadline, began + absl::Seconds(3));
  TestApp& other = Open(StartDaemon());
  Ack(app, {2, 4});
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_GE(now(), began + absl::Seconds(3));
  EXPECT_LE(now(), began + absl::Milliseconds(3100));
  EXPECT_EQ(daemon.report->awaited, 5u);
  EXPECT_EQ(daemon.report->acked, 2u);
  EXPECT_EQ(daemon.report->naked, 3u);
  EXPECT_TRUE(daemon.report->deadline_exceeded);
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 3; }, absl::Milliseconds(100)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(1, 3, 5));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(DrainScenario, DrainedIsTheLastWordAndSaidOnce) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  Drain(daemon, absl::Seconds(10));
  EXPECT_FALSE(daemon.core->Drain(absl::Seconds(1)));
  Ack(app, {1});
  ASSERT_TRUE(
      RunUntil([&] { return app.stream.finished().has_value(); }, options.pull_expires + absl::Milliseconds(200)));
  EXPECT_TRUE(app.stream.finished()->ok());
  const auto drained = std::count_if(app.stream.notices().begin(), app.stream.notices().end(), [](const auto& notice) {
    return std::holds_alternative<core::DrainedNotice>(notice);
  });
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(std::holds_alternative<core::DrainedNotice>(app.stream.notices().back()));
  EXPECT_EQ(app.stream.last<core::DrainedNotice>()->report.acked, 1u);
}

TEST_F(DrainScenario, WhatNoAppHasSeenIsReleasedInOrderWithoutWaitingForTheApps) {
  TestDaemon& daemon = StartDaemon();
  TestApp& stuck = Open(daemon, {.messages = 5});
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return stuck.stream.given().size() == 1; }));
  stuck.stream.Block();
  Publish(4);
  RunFor(absl::Milliseconds(50));
  TestApp& other = Open(StartDaemon());
  Drain(daemon, absl::Seconds(30));
  ASSERT_TRUE(
      RunUntil([&] { return other.stream.given().size() == 4; }, options.pull_expires + absl::Milliseconds(200)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(2, 3, 4, 5));
  EXPECT_FALSE(daemon.report.has_value());  // the first one is still with its app
  Ack(stuck, {1});
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }, absl::Milliseconds(100)));
  EXPECT_EQ(daemon.report->released, 4u);
  EXPECT_EQ(daemon.report->awaited, 1u);
}

TEST_F(DrainScenario, ALastDeliveryIsHandedToAnAppRatherThanReleased) {
  server_options.consumer.max_deliver = 1;
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  app.stream.Block();
  Publish(1);
  RunFor(absl::Milliseconds(50));
  Drain(daemon, absl::Seconds(10));
  RunFor(options.pull_expires + absl::Milliseconds(100));
  app.stream.Unblock(app.session);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  Ack(app, {1});
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_TRUE(server().settled(1));
  EXPECT_EQ(daemon.report->acked, 1u);
  EXPECT_EQ(daemon.report->unsettled, 0u);
}

TEST_F(DrainScenario, ALastDeliveryThatNoAppCanTakeIsNamedAsUnsettled) {
  server_options.consumer.max_deliver = 1;
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  app.stream.Block();
  Publish(1);
  RunFor(absl::Milliseconds(50));
  app.session->OnCredit({.messages = 0});
  Drain(daemon, absl::Seconds(10));
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_EQ(daemon.report->unsettled, 1u);
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(DrainScenario, LastDeliveriesThatGoFromAppToAppAreNamedWhenTheLastOneBreaks) {
  server_options.consumer.max_deliver = 1;
  TestDaemon& daemon = StartDaemon();
  TestApp& first = Open(daemon);
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return first.stream.given().size() == 3; }));
  TestApp& second = Open(daemon);
  Drain(daemon, absl::Seconds(10));
  RunFor(options.pull_expires + absl::Milliseconds(100));
  second.stream.Block();
  Break(first);
  EXPECT_FALSE(daemon.report.has_value()) << "they wait for the next frame to the second app";
  Break(second);
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_EQ(daemon.report->awaited, 3u);
  EXPECT_EQ(daemon.report->unsettled, 3u);
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(DrainScenario, ADrainWhileNatsIsDownWaitsForItAndLosesNothing) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 5; }));
  daemon.source->Disconnect(absl::Seconds(4));
  RunFor(absl::Milliseconds(10));
  Drain(daemon, absl::Seconds(10));
  Ack(app, Range(1, 5));
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_EQ(server().unsettled(), 0u);
  EXPECT_EQ(daemon.report->unsettled, 0u);
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(DrainScenario, ADrainEndsByItsDeadlineThoughNatsStaysAway) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 5; }));
  daemon.source->Disconnect(absl::Hours(1));
  RunFor(absl::Milliseconds(10));
  Drain(daemon, absl::Seconds(5));
  Ack(app, Range(1, 5));
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }, absl::Seconds(5) + 2 * options.confirm_timeout));
  EXPECT_EQ(daemon.report->unsettled, 5u);
}

TEST_F(DrainScenario, TheDrainOfOneAppLeavesItsSiblingAtWork) {
  TestDaemon& daemon = StartDaemon();
  TestApp& leaving = Open(daemon, {.messages = 2});
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.given().size() == 2; }));
  TestApp& staying = Open(daemon);
  leaving.session->OnDrain(absl::Seconds(10));
  EXPECT_EQ(leaving.stream.last<core::DrainingNotice>()->reason, core::DrainReason::kApp);
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return staying.stream.given().size() == 3; }));
  EXPECT_FALSE(leaving.stream.finished().has_value());
  Ack(leaving, {1, 2});
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.finished().has_value(); }, absl::Seconds(1)));
  EXPECT_TRUE(leaving.stream.finished()->ok());
  EXPECT_EQ(leaving.stream.last<core::DrainedNotice>()->report.acked, 2u);
  EXPECT_TRUE(server().settled(1) && server().settled(2));
  EXPECT_THAT(staying.stream.finished(), testing::Eq(std::nullopt));
}

TEST_F(DrainScenario, AnAppsDrainNaksWhatItStillHoldsAtItsDeadline) {
  TestDaemon& daemon = StartDaemon();
  TestApp& leaving = Open(daemon, {.messages = 2});
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.given().size() == 2; }));
  TestApp& staying = Open(daemon);
  leaving.session->OnDrain(absl::Seconds(2));
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.finished().has_value(); }, absl::Seconds(3) + options.pull_expires));
  EXPECT_TRUE(leaving.stream.last<core::DrainedNotice>()->report.deadline_exceeded);
  ASSERT_TRUE(RunUntil([&] { return staying.stream.given().size() == 2; }, absl::Seconds(2)));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(DrainScenario, SigtermWaitsForNobodyOnceTheAppsAreGone) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon, {}, "app");
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 3; }));
  Terminate(daemon, absl::Minutes(1));
  RunFor(absl::Seconds(3));
  EXPECT_FALSE(daemon.exited);
  TestApp& other = Open(StartDaemon());
  Break(app);
  ASSERT_TRUE(RunUntil([&] { return daemon.exited; }, absl::Milliseconds(100)));
  EXPECT_EQ(daemon.report->naked, 3u);
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 3; }, absl::Milliseconds(100)));
}

TEST_F(DrainScenario, SigtermOfAnIdleDaemonTakesNoLongerThanItsPull) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  RunFor(absl::Milliseconds(100));
  Terminate(daemon, absl::Minutes(1));
  ASSERT_TRUE(RunUntil([&] { return daemon.exited; }, options.pull_expires + absl::Milliseconds(200)));
  EXPECT_TRUE(app.stream.finished()->ok());
}

TEST_F(DrainScenario, AnAppMayComeBackToADrainingDaemonForWhatItHolds) {
  TestDaemon& daemon = StartDaemon();
  TestApp& before = Open(daemon, {}, "app");
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return before.stream.given().size() == 2; }));
  Drain(daemon, absl::Seconds(10));
  Break(before);
  TestApp& after = Open(daemon, {}, "app", before.stream.ids());
  const std::vector<uint64_t> ids = before.stream.ids();
  const core::SettleRun run = {ids, {}};
  after.session->OnSettle({&run, 1});
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }, absl::Seconds(3)));
  EXPECT_EQ(daemon.report->acked, 2u);
  EXPECT_EQ(server().unsettled(), 0u);
}

TEST_F(DrainScenario, AfterACrashWhatWasHeldComesBackByTheAckWaitAlone) {
  server_options.consumer.ack_wait = absl::Seconds(5);
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 3; }));
  Ack(app, {1});
  RunFor(absl::Milliseconds(50));
  Kill(daemon);
  TestApp& other = Open(StartDaemon());
  RunFor(absl::Seconds(4));
  EXPECT_THAT(other.stream.given(), IsEmpty());
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 2; }, absl::Seconds(2)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(2, 3));
  EXPECT_EQ(ack_waits_over, 2);
}

}  // namespace
}  // namespace sluice::test
