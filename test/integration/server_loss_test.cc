// The nats-server goes and comes, or what it has of the consumer does.
#include <signal.h>

#include <iostream>

#include "test/integration/fixture.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kRate = 1000;
constexpr int kRestarts = 3;  // of each kind

class ServerLossTest : public IntegrationTest {
 protected:
  bool DeleteConsumer() {
    const absl::Status deleted = admin_->DeleteConsumer(kStream, kDurable);
    EXPECT_TRUE(deleted.ok()) << deleted;
    return deleted.ok();
  }
};

// Verdicts that were given meanwhile are sent afterwards. What the server had not stored of them it may ask for again.
TEST_P(ServerLossTest, RestartedUnderLoad) {
  options_.ack_wait = absl::Seconds(3);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  AppProcess& app = StartApp({.concurrency = 4});
  StartApp({.concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  for (int restart = 0; restart < 2 * kRestarts; ++restart) {
    ASSERT_TRUE(AwaitHandled(500));
    const int64_t begin_us = NowMicros();
    if (restart % 2 == 0) {
      server_->Stop();
    } else {
      server_->Kill();
    }
    excuses.push_back({Why::kServerLostAck, absl::Now()});
    ASSERT_GT(app.AwaitTold("nats down", begin_us), 0);
    ASSERT_TRUE(server_->Restart().ok());
    ASSERT_GT(app.AwaitTold("serving", NowMicros()), 0);
  }
  ASSERT_TRUE(ConnectAdmin());
  EXPECT_CLEAN(SettleUp(excuses));
  EXPECT_GE(daemon_->Status().nats().reconnects(), 2u * kRestarts);
}

// The stream forgets what is acked, so that a new consumer does not begin with all of it.
TEST_P(ServerLossTest, DeletedConsumerIsCreatedAgain) {
  ASSERT_TRUE(StartServer({{"retention", "workqueue"}}));
  ASSERT_TRUE(StartDaemon());
  AppProcess& app = StartApp({.concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  for (int deletion = 0; deletion < 3; ++deletion) {
    ASSERT_TRUE(AwaitHandled(500));
    const int64_t begin_us = NowMicros();
    ASSERT_TRUE(DeleteConsumer());
    excuses.push_back({Why::kServerLostAck, absl::Now()});
    ASSERT_GT(app.AwaitTold("consumer missing", begin_us), 0);
    ASSERT_GT(app.AwaitTold("serving", begin_us), 0);
  }
  EXPECT_CLEAN(SettleUp(excuses));
}

TEST_P(ServerLossTest, DeletedConsumerIsWaitedForWhereItIsOnlyVerified) {
  options_.manage = "verify";
  const nlohmann::json config = {{"ack_wait", absl::ToInt64Nanoseconds(options_.ack_wait)},
                                 {"max_ack_pending", options_.max_ack_pending}};
  ASSERT_TRUE(StartServer({{"retention", "workqueue"}}));
  ASSERT_TRUE(admin_->CreateConsumer(kStream, kDurable, config).ok());
  ASSERT_TRUE(StartDaemon());
  AppProcess& app = StartApp();
  StartLoad(kRate);
  ASSERT_TRUE(AwaitHandled(500));
  const int64_t begin_us = NowMicros();
  ASSERT_TRUE(DeleteConsumer());
  const Excuse excuse = {Why::kServerLostAck, absl::Now()};
  ASSERT_GT(app.AwaitTold("consumer missing", begin_us), 0);
  EXPECT_EQ(daemon_->Status().consumers(0).state().kind(), sluice::v1::State::KIND_CONSUMER_MISSING);
  EXPECT_EQ(Told("num_ack_pending"), -1) << "somebody has created it";
  const int64_t created_us = NowMicros();
  ASSERT_TRUE(admin_->CreateConsumer(kStream, kDurable, config).ok());
  ASSERT_GT(app.AwaitTold("serving", created_us), 0);
  EXPECT_CLEAN(SettleUp({excuse}));
}

TEST_P(ServerLossTest, AbsentAtStart) {
  ASSERT_TRUE(StartServer());
  server_->Stop();
  ASSERT_TRUE(StartDaemon());
  AppProcess& app = StartApp();
  ASSERT_GT(app.AwaitTold("nats down"), 0);
  const sluice::v1::Status status = daemon_->Status();
  EXPECT_FALSE(status.nats().connected());
  EXPECT_EQ(status.phase(), "SERVING");
  ASSERT_TRUE(server_->Restart().ok());
  ASSERT_TRUE(ConnectAdmin());
  ASSERT_GT(app.AwaitTold("serving"), 0);
  StartLoad(kRate);
  ASSERT_TRUE(AwaitHandled(100));
  EXPECT_CLEAN(SettleUp());
  EXPECT_TRUE(daemon_->Status().nats().connected());
}

// With nobody to tell, it ends all the same.
TEST_P(ServerLossTest, AbsentAtTheEnd) {
  options_.drain_timeout = absl::Seconds(2);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  AppProcess& app = StartApp();
  StartLoad(kRate);
  ASSERT_TRUE(AwaitHandled(100));
  const int64_t begin_us = NowMicros();
  server_->Stop();
  ASSERT_GT(app.AwaitTold("nats down", begin_us), 0);
  const auto exit_code = daemon_->Terminate(absl::Seconds(5));
  ASSERT_TRUE(exit_code.has_value()) << "it has not ended";
  EXPECT_EQ(*exit_code, daemon_->Reported("unsettled") > 0 ? 75 : 0);
}

INSTANTIATE_TEST_SUITE_P(All, ServerLossTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
