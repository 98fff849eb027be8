// Drains that the app asks for, and drains of the daemon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <future>
#include <thread>

#include "client-sdk/cpp/fake_daemon.h"
#include "sluice/client.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeDaemon;
using testing::FakeStream;
using ::testing::Pair;
using Seen = FakeStream::Verdict;

class DrainTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakeStream> Accept() {
    auto stream = daemon_.Accept();
    stream->Opened();
    return stream;
  }

  FakeDaemon daemon_;
  Client client_{ClientOptions{.address = daemon_.address(), .first_retry = milliseconds(1), .log = nullptr}};

  // A handler that waits for its release.
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  std::promise<void> started_;
  Verdict Wait(Message& m) {
    if (m.stream_sequence() == 1) started_.set_value();
    released_.wait();
    return Ack();
  }
};

v1::DrainReport Report() {
  v1::DrainReport report;
  report.set_awaited(3);
  report.set_acked(2);
  report.set_naked(1);
  v1::PhaseDuration& phase = *report.add_phases();
  phase.set_phase("SETTLING");
  phase.mutable_duration()->set_nanos(5'000'000);
  return report;
}

TEST_F(DrainTest, WorksOffWhatItHasAndReturnsTheReport) {
  auto consumption = client_.Consume("orders", [this](Message& m) { return Wait(m); });
  auto stream = Accept();
  stream->Deliver(1, 3);
  started_.get_future().get();
  auto drain = std::async(std::launch::async, [&] { return consumption.Drain(milliseconds(7500)); });
  const v1::Drain asked = stream->AwaitDrain();
  EXPECT_EQ(asked.timeout().seconds(), 7);
  EXPECT_EQ(asked.timeout().nanos(), 500'000'000);
  stream->Draining(v1::Draining::REASON_APP);
  release_.set_value();
  stream->AwaitVerdicts(3);
  stream->Drained(Report());
  const DrainReport report = drain.get();
  EXPECT_TRUE(report.completed);
  EXPECT_EQ(report.awaited, 3u);
  EXPECT_EQ(report.acked, 2u);
  EXPECT_EQ(report.naked, 1u);
  EXPECT_THAT(report.phases, ElementsAre(Pair("SETTLING", milliseconds(5))));
  EXPECT_THAT(stream->Count(), ElementsAre(Pair("ack", 3)));
  EXPECT_TRUE(consumption.Closed().ok());
}

TEST_F(DrainTest, WithoutATimeoutTheDaemonsCounts) {
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  auto stream = Accept();
  consumption.StartDrain();
  EXPECT_FALSE(stream->AwaitDrain().has_timeout());
  stream->Drained();
  EXPECT_TRUE(consumption.Closed().ok());
}

TEST_F(DrainTest, MayHandBackWhatWaits) {
  ConsumeOptions options{.hand_back = true};
  auto consumption = client_.Consume("orders", options, [this](Message& m) { return Wait(m); });
  auto stream = Accept();
  stream->Deliver(1, 3);
  started_.get_future().get();
  consumption.StartDrain();
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{2, "nak"}, Seen{3, "nak"}));
  stream->AwaitDrain();
  EXPECT_EQ(stream->verdicts_before_drain(), 0u) << "the daemon would give them to this app again";
  stream->Deliver(4, 1);
  EXPECT_EQ(stream->AwaitVerdicts(3).back(), (Seen{4, "nak"})) << "it was on its way when the drain began";
  release_.set_value();
  EXPECT_EQ(stream->AwaitVerdicts(4).back(), (Seen{1, "ack"}));
  stream->Drained();
  EXPECT_TRUE(consumption.Closed().ok());
}

TEST_F(DrainTest, ARangeEndsWhenItIsDrained) {
  auto messages = client_.Messages("orders");
  auto stream = Accept();
  stream->Deliver(1, 4);
  int count = 0;
  for (Message& m : messages) {
    ++count;
    if (count == 2) messages.StartDrain();
    m.Ack();
    if (count == 4) {
      stream->AwaitDrain();
      stream->AwaitVerdicts(4);
      stream->Drained(Report());
    }
  }
  EXPECT_EQ(count, 4);
  EXPECT_TRUE(messages.drain_report().completed);
}

TEST_F(DrainTest, OfTheDaemonFinishesTheWorkAndGoesToItsSuccessor) {
  std::promise<Draining> draining;
  std::promise<DrainReport> drained;
  ConsumeOptions options;
  options.on_draining = [&](const Draining& notice) { draining.set_value(notice); };
  options.on_drained = [&](const DrainReport& report) { drained.set_value(report); };
  auto consumption = client_.Consume("orders", options, [this](Message& m) { return Wait(m); });
  auto stream = Accept();
  stream->Deliver(1, 2);
  started_.get_future().get();
  stream->Draining(v1::Draining::REASON_DAEMON);
  const Draining notice = draining.get_future().get();
  EXPECT_TRUE(notice.by_daemon);
  EXPECT_GT(notice.deadline, std::chrono::system_clock::now());
  release_.set_value();
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{1, "ack"}, Seen{2, "ack"}));
  stream->Drained(Report());
  EXPECT_EQ(drained.get_future().get().awaited, 3u);
  daemon_.Accept()->Finish({grpc::StatusCode::UNAVAILABLE, "draining"});
  auto successor = Accept();
  successor->Deliver(10);
  successor->AwaitVerdicts(1);
  EXPECT_FALSE(consumption.drain_report().completed) << "it was not the app's";
}

TEST_F(DrainTest, TheDeadlineOfAMessageIsThatOfTheDrain) {
  std::promise<Message> kept;
  std::promise<void> draining;
  ConsumeOptions options{.on_draining = [&](const Draining&) { draining.set_value(); }};
  auto consumption = client_.Consume("orders", options, [&](Message m) { kept.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  Message message = kept.get_future().get();
  const auto soon = std::chrono::system_clock::now() + seconds(60);
  EXPECT_GT(message.deadline(), soon);
  stream->Draining(v1::Draining::REASON_DAEMON);
  draining.get_future().get();
  EXPECT_LT(message.deadline(), soon);
}

TEST_F(DrainTest, GoesOnAfterAReconnectWithoutNewMessages) {
  auto consumption = client_.Consume("orders", [this](Message& m) { return Wait(m); });
  auto stream = Accept();
  stream->Deliver(1);
  started_.get_future().get();
  consumption.StartDrain();
  stream->AwaitDrain();
  stream->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  auto next = daemon_.Accept();
  EXPECT_TRUE(next->AwaitOpen().has_credit());
  EXPECT_EQ(next->AwaitOpen().credit().messages(), 0u);
  next->Opened({{1, 1}});
  next->AwaitDrain();
  release_.set_value();
  next->AwaitVerdicts(1);
  next->Drained(Report());
  EXPECT_TRUE(consumption.Closed().ok());
  EXPECT_TRUE(consumption.drain_report().completed);
}

TEST_F(DrainTest, WithoutADaemonHasNothingToWaitFor) {
  daemon_.Kill();
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  EXPECT_FALSE(consumption.Drain().completed);
}

TEST_F(DrainTest, ADaemonThatIsSilentIsLeft) {
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  auto stream = Accept();
  auto drain = std::async(std::launch::async, [&] { return consumption.Drain(milliseconds(0)); });
  stream->AwaitDrain();
  stream->AwaitDone();
  EXPECT_FALSE(drain.get().completed);
}

TEST_F(DrainTest, ASignalDrains) {
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  auto stream = Accept();
  auto run = std::async(std::launch::async, [&] { return RunUntilSignal(consumption); });
  const auto caught = [] {
    struct sigaction action;
    sigaction(SIGTERM, nullptr, &action);
    return action.sa_handler != SIG_DFL;
  };
  while (!caught()) std::this_thread::yield();
  kill(getpid(), SIGTERM);
  stream->AwaitDrain();
  stream->Drained(Report());
  EXPECT_EQ(run.get().awaited, 3u);
  EXPECT_FALSE(caught()) << "the disposition from before is back";
}

TEST_F(DrainTest, RunningUntilASignalEndsWithTheConsumption) {
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  daemon_.Accept()->Finish({grpc::StatusCode::PERMISSION_DENIED, "no"});
  EXPECT_FALSE(RunUntilSignal(consumption).completed);
  EXPECT_EQ(consumption.Closed().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

// SIGTERM that finds no daemon, as it was drained before.
TEST_F(DrainTest, AfterTheDaemonsOwnItEndsAtOnceWithThatReport) {
  std::promise<void> drained;
  ConsumeOptions options{.on_drained = [&](const DrainReport&) { drained.set_value(); }};
  auto consumption = client_.Consume("orders", options, [](Message&) {});
  auto stream = Accept();
  stream->Draining(v1::Draining::REASON_DAEMON);
  stream->Drained(Report());
  drained.get_future().get();
  daemon_.Kill();
  const DrainReport report = consumption.Drain();
  EXPECT_TRUE(report.completed);
  EXPECT_EQ(report.awaited, 3u);
}

TEST_F(DrainTest, AHandlerThatStillRunsAtItsEndIsCancelled) {
  std::promise<bool> cancelled;
  auto consumption = client_.Consume("orders", [&](Message& m) {
    started_.set_value();
    while (!m.stop_token().stop_requested()) std::this_thread::yield();
    cancelled.set_value(m.cancelled());
  });
  auto stream = Accept();
  stream->Deliver(1);
  started_.get_future().get();
  auto drain = std::async(std::launch::async, [&] { return consumption.Drain(milliseconds(10)); });
  stream->AwaitDrain();
  v1::DrainReport late = Report();
  late.set_deadline_exceeded(true);
  stream->Drained(late);
  EXPECT_TRUE(drain.get().deadline_exceeded);
  EXPECT_TRUE(cancelled.get_future().get());
}

TEST_F(DrainTest, ASignalDrainsSeveralTogether) {
  auto orders = client_.Consume("orders", [](Message&) {});
  auto invoices = client_.Consume("invoices", [](Message&) {});
  auto one = Accept(), other = Accept();
  auto run = std::async(std::launch::async, [&] { return RunUntilSignal({orders, invoices}); });
  const auto caught = [] {
    struct sigaction action;
    sigaction(SIGTERM, nullptr, &action);
    return action.sa_handler != SIG_DFL;
  };
  while (!caught()) std::this_thread::yield();
  kill(getpid(), SIGTERM);
  one->AwaitDrain();
  other->AwaitDrain();
  one->Drained(Report());
  other->Drained(Report());
  EXPECT_EQ(run.get().size(), 2u);
  EXPECT_TRUE(orders.drain_report().completed && invoices.drain_report().completed);
}

TEST_F(DrainTest, OneThatIsRefusedEndsAll) {
  auto orders = client_.Consume("orders", [](Message&) {});
  auto stream = Accept();
  auto invoices = client_.Consume("invocies", [](Message&) {});
  auto run = std::async(std::launch::async, [&] { return RunUntilSignal({orders, invoices}); });
  daemon_.Accept()->Finish({grpc::StatusCode::NOT_FOUND, "no consumer \"invocies\""});
  stream->AwaitDrain();
  stream->Drained(Report());
  EXPECT_TRUE(run.get()[0].completed);
  EXPECT_EQ(invoices.Closed().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace sluice
