// Nothing is asked of JetStream that no app has room for.
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

// Several lives of a pull: one that should not be there would be seen.
constexpr absl::Duration kPullExpires = absl::Milliseconds(100);
const absl::Duration kWhile = 5 * kPullExpires;

class DemandTest : public IntegrationTest {
 protected:
  bool StartReady() {
    options_.pull_expires = kPullExpires;
    if (!StartServer() || !StartDaemon()) return false;
    const absl::Status ready = daemon_->AwaitReady();
    EXPECT_TRUE(ready.ok()) << ready;
    return ready.ok();
  }
  bool Pulls() {
    const uint64_t before = daemon_->Counts().pulls();
    return Eventually([&] { return daemon_->Counts().pulls() > before; }, kWhile);
  }
};

TEST_P(DemandTest, NoAppNoPull) {
  ASSERT_TRUE(StartReady());
  ASSERT_TRUE(admin_->PublishNumbers(kSubject, 100).ok());
  EXPECT_FALSE(Pulls());
  EXPECT_EQ(daemon_->Counts().pulls(), 0u);
  EXPECT_EQ(Told("num_waiting"), 0);
  EXPECT_EQ(Told("num_pending"), 100);
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

TEST_P(DemandTest, NoMoreThanTheCredit) {
  constexpr int kCredit = 3;
  ASSERT_TRUE(StartReady());
  ASSERT_TRUE(admin_->PublishNumbers(kSubject, 100).ok());
  StartApp({.mode = "hung", .credit = kCredit});
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().in_flight() == kCredit; }));
  EXPECT_FALSE(Pulls());
  EXPECT_EQ(Told("num_waiting"), 0);
  EXPECT_EQ(Told("num_ack_pending"), kCredit);
  EXPECT_EQ(daemon_->Counts().received(), uint64_t{kCredit});
}

TEST_P(DemandTest, AnIdleAppHasOnePullOpen) {
  ASSERT_TRUE(StartReady());
  StartApp();
  StartApp();
  ASSERT_TRUE(Eventually([&] { return Told("num_waiting") == 1; }));
  EXPECT_TRUE(Pulls());  // the next one
  apps_.clear();
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().streams() == 0; }));
  ASSERT_TRUE(Eventually([&] { return Told("num_waiting") == 0; }));
  EXPECT_FALSE(Pulls());
}

INSTANTIATE_TEST_SUITE_P(All, DemandTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
