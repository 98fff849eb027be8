#include "admin/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/clock.h"

namespace sluice::admin {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Milliseconds(150);
// For what must not be noticed: a busy machine is slow, too.
constexpr absl::Duration kLongPatience = absl::Milliseconds(900);
constexpr absl::Duration kLongest = absl::Seconds(30);

class WatchdogTest : public ::testing::Test {
 protected:
  WatchdogTest() : thread_([this] { loop_.Run(); }) {}
  ~WatchdogTest() override {
    watchdog_ = nullptr;
    Unblock();
    loop_.Stop();
    thread_.join();
  }

  void Start(absl::Duration patience = kPatience) {
    watchdog_ = std::make_unique<Watchdog>(
        &loop_,
        [this](absl::Duration) {
          const int every = ok_every_;
          const bool listens = every != kNever && ++dials_ % every == 0;
          return listens ? absl::OkStatus() : absl::UnavailableError("Too many open files");
        },
        [this] { cancelled_ = true; }, patience);
  }
  // The loop does nothing until Unblock().
  void Block() {
    auto blocked = std::make_shared<absl::Notification>();
    unblock_ = std::make_unique<absl::Notification>();
    loop_.Post([this, blocked] {
      blocked->Notify();
      unblock_->WaitForNotification();
    });
    blocked->WaitForNotification();
  }
  void Unblock() {
    if (unblock_ != nullptr && !unblock_->HasBeenNotified()) unblock_->Notify();
  }
  bool Becomes(bool alive) {
    const absl::Time latest = absl::Now() + kLongest;
    while (watchdog_->Check().ok() != alive && absl::Now() < latest) absl::SleepFor(absl::Milliseconds(1));
    return watchdog_->Check().ok() == alive;
  }
  void AwaitDials(int more) {
    const int enough = dials_ + more;
    const absl::Time latest = absl::Now() + kLongest;
    while (dials_ < enough && absl::Now() < latest) absl::SleepFor(absl::Milliseconds(1));
  }

  const base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};
  std::thread thread_;
  std::unique_ptr<absl::Notification> unblock_;
  static constexpr int kNever = 0;
  std::atomic<int> ok_every_{1};  // which of the dials are answered
  std::atomic<bool> cancelled_{false};
  std::atomic<int> dials_{0};
  std::unique_ptr<Watchdog> watchdog_;
};

TEST_F(WatchdogTest, IsContentWithWhatAnswers) {
  Start(kLongPatience);
  AwaitDials(Watchdog::kRounds + 1);
  EXPECT_TRUE(watchdog_->Check().ok());
  EXPECT_GT(watchdog_->loop_lag(), absl::ZeroDuration());
}

TEST_F(WatchdogTest, NoticesAStuckLoopAndItsRecovery) {
  Start();
  Block();
  ASSERT_TRUE(Becomes(false));
  EXPECT_THAT(std::string(watchdog_->Check().message()), HasSubstr("the event loop does not answer, for "));
  Unblock();
  EXPECT_TRUE(Becomes(true));
}

TEST_F(WatchdogTest, NoticesADeadListenerAndItsRecovery) {
  Start();
  ok_every_ = kNever;
  ASSERT_TRUE(Becomes(false));
  EXPECT_THAT(std::string(watchdog_->Check().message()), HasSubstr("gRPC does not answer: Too many open files, for "));
  ok_every_ = 1;
  EXPECT_TRUE(Becomes(true));
}

TEST_F(WatchdogTest, LessThanAllRoundsInARowAreNotEnough) {
  ok_every_ = Watchdog::kRounds;
  Start(kLongPatience);
  AwaitDials(3 * Watchdog::kRounds);
  EXPECT_TRUE(watchdog_->Check().ok());
}

TEST_F(WatchdogTest, EndsWithAStuckLoopWithoutWaitingForIt) {
  Start(absl::Hours(1));
  Block();
  const absl::Time start = absl::Now();
  watchdog_ = nullptr;
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_TRUE(cancelled_);
}

}  // namespace
}  // namespace sluice::admin
