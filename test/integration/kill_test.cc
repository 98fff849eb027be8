// SIGKILL of the daemon and of apps: nothing is lost, and what is done twice was being done when the process was
// killed.
#include <signal.h>

#include <iostream>
#include <set>

#include "test/integration/fixture.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kKills = 5;
constexpr int kRate = 1000;

class KillTest : public IntegrationTest {
 protected:
  uint64_t HandledBy(int64_t pid) {
    uint64_t count = 0;
    for (const Handled& line : handled_.Read()) count += line.pid == pid;
    return count;
  }
  bool AwaitHandledBy(const AppProcess& app, uint64_t more) {
    const uint64_t goal = HandledBy(app.pid()) + more;
    return Eventually([&] { return HandledBy(app.pid()) >= goal; });
  }
};

// What it held waits for the ack wait then, as nobody is left to give it back.
TEST_P(KillTest, Daemon) {
  options_.ack_wait = absl::Seconds(2);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.concurrency = 4});
  StartApp({.concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  for (int kill = 0; kill < kKills; ++kill) {
    ASSERT_TRUE(AwaitHandled(500));
    daemon_->Signal(SIGKILL);
    excuses.push_back({Why::kKilled, absl::Now()});
    ASSERT_EQ(daemon_->Wait(), -SIGKILL);
    ASSERT_TRUE(StartDaemon());  // in the place of the socket that is left
    excuses.back().until = absl::Now();
  }
  EXPECT_CLEAN(SettleUp(excuses));
}

// What it held comes back when its resume window is over, far before the ack wait.
TEST_P(KillTest, App) {
  options_.ack_wait = absl::Seconds(30);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  AppProcess& sibling = StartApp({.work_ms = 2, .concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  for (int kill = 0; kill < kKills; ++kill) {
    AppProcess& app = StartApp({.work_ms = 20, .concurrency = 4});  // so that it holds something whenever it ends
    ASSERT_TRUE(AwaitHandledBy(app, 100));
    app.Kill();
    excuses.push_back({Why::kKilled, absl::Now()});
    ASSERT_TRUE(AwaitHandledBy(sibling, 100));
  }
  const Account account = SettleUp(excuses);
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
  EXPECT_GT(account.redelivered, 0u);
}

// An app that ends by itself leaves nothing to be done twice, and one that is alone does all.
TEST_P(KillTest, OneOfTwoAppsLeaves) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  AppProcess& stays = StartApp({.work_ms = 2, .concurrency = 2});
  AppProcess& leaves = StartApp({.work_ms = 2, .concurrency = 2});
  StartLoad(kRate / 2);
  ASSERT_TRUE(AwaitHandledBy(stays, 100));
  ASSERT_TRUE(AwaitHandledBy(leaves, 100));
  leaves.Terminate();
  ASSERT_EQ(leaves.Wait(), 0);
  ASSERT_TRUE(AwaitHandledBy(stays, 500));
  const Account account = SettleUp();
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
}

INSTANTIATE_TEST_SUITE_P(All, KillTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
