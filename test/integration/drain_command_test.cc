// The other ways to end a daemon: `sluice drain`, AdminService, Ctrl-C; while apps are at work.
#include <signal.h>

#include <iostream>

#include "nlohmann/json.hpp"
#include "test/integration/fixture.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kRate = 500;
constexpr int kExitUnsettled = 75;
const AppOptions kBusy = {.work_ms = 20, .concurrency = 4, .credit = 32};

class DrainCommandTest : public IntegrationTest {
 protected:
  // An app has its hands full.
  bool StartBusy(const AppOptions& kind = kBusy) {
    if (!StartServer() || !StartDaemon()) return false;
    StartApp(kind);
    StartLoad(kRate);
    return Eventually([&] { return daemon_->Counts().in_flight() >= 16; });
  }
  Finished Drain(std::vector<std::string> more) {
    std::vector<std::string> argv = {SluiceBinary(), "drain", "--address", daemon_->address()};
    argv.insert(argv.end(), more.begin(), more.end());
    return RunCommand(argv);
  }
  void SettleUpWithASuccessor() {
    ASSERT_TRUE(StartDaemon());
    if (apps_.empty()) StartApp();
    const Account account = SettleUp();
    EXPECT_CLEAN(account);
    EXPECT_TRUE(account.late.empty());
  }
};

TEST_P(DrainCommandTest, Wait) {
  ASSERT_TRUE(StartBusy());
  const Finished drain = Drain({"--wait", "--output", "json"});
  ASSERT_EQ(drain.exit_code, 0) << drain.err;
  const auto report = nlohmann::json::parse(drain.out)["report"];
  EXPECT_GT(std::stoi(report.value("awaited", "0")), 0);
  EXPECT_EQ(report["acked"], report["awaited"]);
  EXPECT_EQ(report["unsettled"], "0");
  EXPECT_EQ(Told("num_ack_pending"), std::stoi(report.value("released", "0")));
  EXPECT_EQ(daemon_->Status().phase(), "DRAINED");

  EXPECT_EQ(daemon_->Terminate(absl::Seconds(2)), 0);
  SettleUpWithASuccessor();
}

TEST_P(DrainCommandTest, ReturnsAtOnceAndSigtermFinishes) {
  ASSERT_TRUE(StartBusy());
  const Finished drain = Drain({});
  ASSERT_EQ(drain.exit_code, 0) << drain.err;
  EXPECT_EQ(daemon_->Wait(absl::ZeroDuration()), std::nullopt) << "it stays for SIGTERM";
  EXPECT_EQ(daemon_->Terminate(), 0);
  EXPECT_EQ(daemon_->Reported("acked"), daemon_->Reported("awaited"));
  SettleUpWithASuccessor();
}

// An app that does not finish is waited for as long as the command says.
TEST_P(DrainCommandTest, TimeoutOfItsOwn) {
  ASSERT_TRUE(StartBusy({.mode = "hung", .concurrency = 4, .credit = 32}));
  const int64_t begin_us = NowMicros();
  const Finished drain = Drain({"--wait", "--timeout", "1s", "--output", "json"});
  EXPECT_EQ(drain.exit_code, 0) << drain.err;
  EXPECT_GE(NowMicros() - begin_us, 1000000);
  const auto report = nlohmann::json::parse(drain.out)["report"];
  EXPECT_TRUE(report.value("deadline_exceeded", false)) << drain.out;
  EXPECT_EQ(report["naked"], report["awaited"]);
  EXPECT_EQ(daemon_->Terminate(absl::Seconds(2)), 0);
  apps_.clear();
  SettleUpWithASuccessor();
}

TEST_P(DrainCommandTest, WaitDrained) {
  ASSERT_TRUE(StartBusy());
  const auto wait = [&](sluice::v1::WaitDrainedResponse& response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    return daemon_->admin().WaitDrained(&context, {}, &response);
  };
  sluice::v1::WaitDrainedResponse response;
  EXPECT_EQ(wait(response).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_EQ(Drain({}).exit_code, 0);
  const grpc::Status end = wait(response);
  ASSERT_TRUE(end.ok()) << end.error_message();
  ASSERT_EQ(response.consumers_size(), 1);
  EXPECT_EQ(response.consumers(0).consumer(), kDurable);
  EXPECT_EQ(response.report().acked(), response.report().awaited());
  EXPECT_EQ(response.report().phases_size(), 5);
  EXPECT_EQ(daemon_->Terminate(absl::Seconds(2)), 0);
  SettleUpWithASuccessor();
}

TEST_P(DrainCommandTest, InterruptedOnceAndTwice) {
  options_.drain_timeout = absl::Minutes(1);
  options_.ack_wait = absl::Seconds(3);
  ASSERT_TRUE(StartBusy());
  daemon_->Signal(SIGINT);
  EXPECT_EQ(daemon_->Wait(), 0);
  apps_.clear();

  // Whoever interrupts twice does not care for what the app holds: it waits for its ack wait.
  ASSERT_TRUE(StartDaemon());
  AppProcess& hung = StartApp({.mode = "hung", .concurrency = 4, .credit = 32});
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().in_flight() >= 16; }));
  daemon_->Signal(SIGINT);
  ASSERT_GT(hung.AwaitTold("draining"), 0);
  daemon_->Signal(SIGINT);
  EXPECT_EQ(daemon_->Wait(absl::Seconds(5)), kExitUnsettled);
  apps_.clear();
  ASSERT_TRUE(StartDaemon());
  StartApp();
  EXPECT_CLEAN(SettleUp());
}

INSTANTIATE_TEST_SUITE_P(All, DrainCommandTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
