// Three nodes, and a consumer whose leader is not the node that the daemon is connected to: the case in which an UNSUB
// with an open pull loses most.
#include <iostream>

#include "test/integration/fixture.h"
#include "test/integration/percentiles.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kDrains = 10;
constexpr int kRate = 1000;

class ClusterTest : public IntegrationTest {
 protected:
  bool StartCluster() {
    auto cluster = test::NatsCluster::Start(GetParam());
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (!cluster.ok()) return false;
    cluster_ = *std::move(cluster);
    options_.nats_url = cluster_->node(0).url();
    if (!ConnectAdmin()) return false;
    const absl::Status stream = admin_->CreateStream(kStream, {"s.>"}, {{"num_replicas", 3}});
    EXPECT_TRUE(stream.ok()) << stream;
    const absl::Status consumer = admin_->CreateConsumer(kStream, kDurable);
    EXPECT_TRUE(consumer.ok()) << consumer;
    return stream.ok() && consumer.ok();
  }
  std::string Leader() {
    std::string leader;
    Eventually([&] {
      const auto info = admin_->ConsumerInfo(kStream, kDurable);
      if (info.ok()) leader = info->value("/cluster/leader"_json_pointer, "");
      return !leader.empty();
    });
    return leader;
  }

  std::unique_ptr<test::NatsCluster> cluster_;
};

TEST_P(ClusterTest, NothingIsLateWhenTheLeaderIsElsewhere) {
  ASSERT_TRUE(StartCluster());
  StartLoad(kRate);
  Percentiles drain_ms;
  for (int drain = 0; drain < kDrains; ++drain) {
    const std::string leader = Leader();
    options_.nats_url = cluster_->node(leader == "n1" ? "n2" : "n1").url();
    ASSERT_TRUE(StartDaemon());
    if (apps_.empty()) {
      StartApp();
      StartApp();
    }
    EXPECT_NE(daemon_->Status().nats().url(), cluster_->node(leader).url());
    ASSERT_TRUE(AwaitHandled(500));
    const int64_t begin_us = NowMicros();
    ASSERT_EQ(daemon_->Terminate(), 0);
    drain_ms.Add((NowMicros() - begin_us) / 1000.0);
  }
  ASSERT_TRUE(StartDaemon());
  const Account account = SettleUp();
  std::cout << "drain ms " << drain_ms << "\n";
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty()) << account;
}

INSTANTIATE_TEST_SUITE_P(All, ClusterTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
