#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using Kind = core::PullStatus::Kind;

// Three nodes; the stream S and its durable "worker" are on all of them.
class ClusterTest : public SourceTest {
 protected:
  bool StartCluster() {
    auto cluster = test::NatsCluster::Start(GetParam());
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (!cluster.ok()) return false;
    cluster_ = *std::move(cluster);
    auto admin = test::JetStreamAdmin::Connect(cluster_->node(0).url());
    EXPECT_TRUE(admin.ok()) << admin.status();
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
    const absl::Status created = admin_->CreateStream("S", {"s.>"}, {{"num_replicas", 3}});
    EXPECT_TRUE(created.ok()) << created << "\n" << cluster_->node(0).log();
    ConnectionOptions options;
    options.reconnect_wait = absl::Milliseconds(100);
    options.servers.clear();
    for (size_t i = 0; i < cluster_->size(); ++i) options.servers.push_back(cluster_->node(i).url());
    Connect(options);
    MakeSource({});
    return created.ok() && recorder_.AwaitConnections(1);
  }
  std::string Leader() {
    const auto info = admin_->ConsumerInfo("S", "worker");
    return info.ok() ? (*info)["cluster"].value("leader", "") : "";
  }

  std::unique_ptr<test::NatsCluster> cluster_;
};

TEST_P(ClusterTest, AChangeOfTheLeaderIsToldAndSurvived) {
  ASSERT_TRUE(StartCluster());
  ASSERT_TRUE(Eventually([this] { return Attach().ok(); }));
  Pull(1, 10, absl::Seconds(30));
  ASSERT_TRUE(Eventually([this] { return Told("num_waiting") == 1; }));
  const std::string before = Leader();
  ASSERT_TRUE(admin_->Api("CONSUMER.LEADER.STEPDOWN.S.worker").ok());
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kLeadershipChange) << recorder_.statuses_[0].description;
  ASSERT_TRUE(Eventually([&] { return !Leader().empty() && Leader() != before; }));
  ASSERT_TRUE(Attach().ok());
  Publish(3);
  Pull(2, 3);
  EXPECT_TRUE(recorder_.AwaitMessages(3));
}

TEST_P(ClusterTest, TheLossOfTheNodeItIsConnectedToIsSurvived) {
  ASSERT_TRUE(StartCluster());
  ASSERT_TRUE(Eventually([this] { return Attach().ok(); }));
  ASSERT_TRUE(Eventually([this] { return !Status().url.empty(); }));
  const size_t before = recorder_.connections_.size();
  for (size_t i = 0; i < cluster_->size(); ++i) {
    if (cluster_->node(i).url() == Status().url) cluster_->node(i).Kill();
  }
  ASSERT_TRUE(recorder_.AwaitConnections(before + 2));
  ASSERT_TRUE(Eventually([this] { return Attach().ok(); })) << "two of three elect a leader";
  ASSERT_TRUE(Eventually([this] { return admin_->Publish("s.a", "x").ok(); }));
  // A pull may be lost with the election; core would ask again, too.
  bool came = false;
  for (uint64_t pull = 1; pull <= 10 && !came; ++pull) {
    Pull(pull, 1, absl::Seconds(1));
    came = recorder_.AwaitMessages(1, absl::Seconds(2));
  }
  EXPECT_TRUE(came);
}

INSTANTIATE_TEST_SUITE_P(All, ClusterTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
