// SIGTERM at a random moment: whatever the apps are at, the daemon ends in time, with exit code 0, and gives back all
// that it had not got a verdict on.
#include <algorithm>
#include <iostream>

#include "absl/random/random.h"
#include "test/integration/fixture.h"
#include "test/integration/percentiles.h"
#include "test/integration/told.h"

namespace sluice::integration {
namespace {

constexpr int kTimes = 50;
constexpr int kRate = 500;
constexpr absl::Duration kDrainTimeout = absl::Seconds(1);
// Beyond the deadline: the server's last word, and a busy machine.
constexpr absl::Duration kMostBeyond = absl::Milliseconds(1500);

const AppOptions kQuick = {};
const AppOptions kSlow = {.work_ms = 50, .concurrency = 4, .credit = 16};
const AppOptions kHung = {.mode = "hung", .concurrency = 4, .credit = 16};

class SigtermTest : public IntegrationTest {
 protected:
  // How long the daemon took to end.
  double EndAtRandomMoment(const AppOptions& kind, bool loaded) {
    const int64_t pending = std::max<int64_t>(Told("num_ack_pending"), 0);  // given back by the one before
    AppProcess& app = StartApp(kind);
    EXPECT_GT(app.AwaitTold("serving"), 0);
    load_->SetRate(loaded ? kRate : 0);
    if (!loaded) load_->Add(absl::Uniform(dice_, 0, 10));
    absl::SleepFor(absl::Milliseconds(absl::Uniform(dice_, 0, 300)));  // the random moment

    const int64_t begin_us = NowMicros();
    EXPECT_EQ(daemon_->Terminate(kDrainTimeout + kMostBeyond), 0);
    const double took_ms = (NowMicros() - begin_us) / 1000.0;
    EXPECT_EQ(daemon_->Reported("unsettled"), 0);
    EXPECT_LE(Told("num_ack_pending"), pending + daemon_->Reported("released") + daemon_->Reported("naked"))
        << "more is outstanding than was given back";
    apps_.clear();
    return took_ms;
  }

  absl::BitGen dice_;
};

TEST_P(SigtermTest, AtAnyMoment) {
  options_.drain_timeout = kDrainTimeout;
  options_.ack_wait = absl::Seconds(20);  // far beyond what a message may wait while one app after the other hangs
  ASSERT_TRUE(StartServer());
  StartLoad(0);
  Percentiles idle_ms, loaded_ms, hung_ms;
  int64_t released = 0;
  for (int i = 0; i < kTimes && !HasFailure(); ++i) {
    const bool loaded = i % 2 == 1;
    const bool hung = i % 6 >= 4;
    ASSERT_TRUE(StartDaemon());
    const double took_ms = EndAtRandomMoment(hung ? kHung : i % 6 >= 2 ? kSlow : kQuick, loaded);
    (hung ? hung_ms : loaded ? loaded_ms : idle_ms).Add(took_ms);
    released += daemon_->Reported("released");
  }
  ASSERT_TRUE(StartDaemon());
  StartApp();
  const Account account = SettleUp();
  std::cout << "ms from SIGTERM to the end: idle " << idle_ms << "; loaded " << loaded_ms << "; hung " << hung_ms
            << "; released " << released << "\n";
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
}

INSTANTIATE_TEST_SUITE_P(All, SigtermTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
