// The daemon is restarted under load, again and again: what a rolling update does all day.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <map>
#include <vector>

#include "test/integration/fixture.h"
#include "test/integration/percentiles.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kRestarts = 20;
constexpr int kLoadedDrains = 30;
constexpr int kRate = 2000;
constexpr int kBetweenRestarts = 200;  // messages handled

class RestartTest : public IntegrationTest {
 protected:
  // SIGTERM, exit 0, and a successor.
  bool Restart() {
    const int64_t begin_us = NowMicros();
    const auto exit_code = daemon_->Terminate();
    EXPECT_EQ(exit_code, 0);
    down_us_ = NowMicros();
    drain_ms_.Add((down_us_ - begin_us) / 1000.0);
    // What is given back stays pending until it is delivered again, which may be to the successor's successor.
    const int64_t given_back = daemon_->Reported("released") + daemon_->Reported("naked");
    const int64_t pending = Told("num_ack_pending");
    EXPECT_GE(pending, given_back);
    EXPECT_LE(pending, still_pending_ + given_back);
    still_pending_ = pending;
    released_ += daemon_->Reported("released");
    return exit_code == 0 && StartDaemon();
  }

  Percentiles drain_ms_;
  int64_t released_ = 0;
  int64_t still_pending_ = 0;  // at the last restart
  int64_t down_us_ = 0;        // since when the last one has been gone
};

TEST_P(RestartTest, TwoAppsResume) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.work_ms = 1, .concurrency = 4});
  StartApp({.work_ms = 1, .concurrency = 4});
  StartLoad(kRate);
  for (int restart = 0; restart < kRestarts; ++restart) {
    ASSERT_TRUE(AwaitHandled(kBetweenRestarts));
    ASSERT_TRUE(Restart());
  }
  const Account account = SettleUp();
  std::cout << "drain ms " << drain_ms_ << "; released " << released_ << "\n";
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
}

// The one who is drained gives back what no app has seen; whoever comes next has it within 100 ms.
TEST_P(RestartTest, ReleasedMessagesAreHandedOutAtOnce) {
  constexpr double kMostMs = 100;
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  AppProcess& one = StartApp();
  AppProcess& two = StartApp();
  StartLoad(kRate);
  std::vector<int64_t> opened_us;
  for (int restart = 0; restart < kLoadedDrains; ++restart) {
    ASSERT_TRUE(AwaitHandled(kBetweenRestarts));
    ASSERT_TRUE(Restart());
    opened_us.push_back(std::min(one.AwaitOpened(down_us_), two.AwaitOpened(down_us_)));
    ASSERT_GT(opened_us.back(), 0);
  }
  const Account account = SettleUp();

  Percentiles waited_ms;
  for (const Handled& line : handled_.Read()) {
    if (line.num_delivered == 1) continue;
    const auto next = std::upper_bound(opened_us.begin(), opened_us.end(), line.handled_us);
    ASSERT_NE(next, opened_us.begin());
    waited_ms.Add((line.handled_us - *std::prev(next)) / 1000.0);
  }
  std::cout << "drain ms " << drain_ms_ << "; released " << released_ << ", with an app after ms " << waited_ms << "\n";
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
  EXPECT_LE(waited_ms.max(), kMostMs);
}

// One app that does one thing at a time sees first deliveries in the order of the stream, and what was given back
// ascending.
TEST_P(RestartTest, OneAppKeepsOrder) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp();
  StartLoad(kRate);
  for (int restart = 0; restart < kRestarts; ++restart) {
    ASSERT_TRUE(AwaitHandled(kBetweenRestarts));
    ASSERT_TRUE(Restart());
  }
  const Account account = SettleUp();
  EXPECT_CLEAN(account);

  std::map<uint64_t, uint64_t> last;  // stream sequence, by attempt
  int inversions = 0;
  for (const Handled& line : handled_.Read()) {
    inversions += line.stream_sequence <= last[line.num_delivered];
    last[line.num_delivered] = line.stream_sequence;
  }
  std::cout << "drain ms " << drain_ms_ << "; released " << released_ << "\n";
  EXPECT_EQ(inversions, 0);
}

INSTANTIATE_TEST_SUITE_P(All, RestartTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
