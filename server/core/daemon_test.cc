#include "core/daemon.h"

#include <optional>

#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::RecordingStream;
using test::Strings;

class DaemonTest : public test::ConsumerFixture {
 protected:
  DaemonTest() { Start(); }
  void Terminate() {
    daemon_.Terminate(absl::Seconds(10), [this](const Daemon::Report& report) { exited_ = report.total; });
  }
  std::optional<DrainReport> exited_;
};

TEST_F(DaemonTest, AnUnknownConsumerIsAnsweredWithTheKnownOnes) {
  RecordingStream app;
  OpenRequest request;
  request.consumer = "order";
  const auto session = daemon_.Open(request, &app);
  EXPECT_TRUE(absl::IsNotFound(session.status()));
  EXPECT_EQ(session.status().message(), "no consumer 'order' is configured; known: orders; did you mean 'orders'?");
}

TEST_F(DaemonTest, ASecondDrainChangesNothing) {
  EXPECT_TRUE(daemon_.Drain(absl::Seconds(10)));
  const absl::Time deadline = daemon_.drain_deadline();
  EXPECT_FALSE(daemon_.Drain(absl::Seconds(99)));
  EXPECT_EQ(daemon_.drain_deadline(), deadline);
}

TEST_F(DaemonTest, ADrainAloneDoesNotEndTheProcess) {
  daemon_.Drain(absl::Seconds(10));
  Fence();
  ConfirmLast();
  EXPECT_EQ(daemon_.phase(), Daemon::Phase::kDrained);
  EXPECT_FALSE(exited_.has_value());
  Terminate();
  EXPECT_TRUE(exited_.has_value()) << "SIGTERM after the drain: nothing is left to wait for";
}

TEST_F(DaemonTest, SigtermAloneDrains) {
  RecordingStream app;
  Session* session = Open(&app, 2);
  source_->SendRange(1, 2);
  Terminate();
  EXPECT_EQ(daemon_.phase(), Daemon::Phase::kDraining);
  Fence();
  Settle(session, app.ids());
  ConfirmLast();
  ASSERT_TRUE(exited_.has_value());
  EXPECT_EQ(exited_->acked, 2u);
}

TEST_F(DaemonTest, NeverExitsWhileAnAppHoldsSomethingAndTheDeadlineHasNotPassed) {
  RecordingStream app;
  Open(&app, 1);
  source_->SendRange(1, 1);
  Terminate();
  Fence();
  loop_.RunFor(absl::Seconds(9.9));
  EXPECT_FALSE(exited_.has_value());
  loop_.RunFor(absl::Seconds(0.1));
  ConfirmLast();
  EXPECT_TRUE(exited_.has_value());
}

TEST_F(DaemonTest, SigtermWithoutAppsDoesNotWaitForThemToComeBack) {
  RecordingStream app;
  Session* session = Open(&app, 2, "worker-1");
  source_->SendRange(1, 2);
  session->OnBroken();
  Terminate();
  Fence();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
  ConfirmLast();
  EXPECT_TRUE(exited_.has_value());
}

TEST_F(DaemonTest, TheLastAppThatLeavesAfterSigtermShortensTheWait) {
  RecordingStream app;
  Session* session = Open(&app, 2, "worker-1");
  source_->SendRange(1, 2);
  Terminate();
  Fence();
  EXPECT_TRUE(Sent().empty());
  session->OnBroken();
  EXPECT_EQ(Sent(), (Strings{"NAK ack.1.1", "NAK ack.2.1"}));
  ConfirmLast();
  EXPECT_TRUE(exited_.has_value());
}

TEST_F(DaemonTest, WhoWaitsForTheDrainIsToldOnceAndAtOnceWhenItIsOver) {
  int told = 0;
  daemon_.WhenDrained([&](const Daemon::Report&) { ++told; });
  daemon_.Drain(absl::Seconds(10));
  Fence();
  ConfirmLast();
  EXPECT_EQ(told, 1);
  daemon_.WhenDrained([&](const Daemon::Report& report) {
    ++told;
    EXPECT_EQ(report.consumers.size(), 1u);
  });
  EXPECT_EQ(told, 2);
}

TEST_F(DaemonTest, TheStartOfADrainIsToldOnceAndAtOnceWhenItRuns) {
  int told = 0;
  daemon_.WhenDraining([&] { ++told; });
  EXPECT_EQ(told, 0);
  daemon_.Drain(absl::Seconds(10));
  Terminate();
  EXPECT_EQ(told, 1);
  daemon_.WhenDraining([&] { ++told; });
  EXPECT_EQ(told, 2);
}

TEST(EmptyDaemonTest, WithoutConsumersADrainIsOverAtOnce) {
  test::SimLoop loop;
  Daemon daemon(&loop.timers());
  daemon.Drain(absl::Seconds(1));
  EXPECT_EQ(daemon.phase(), Daemon::Phase::kDrained);
}

}  // namespace
}  // namespace sluice::core
