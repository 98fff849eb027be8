#include "base/event_loop.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

class EventLoopTest : public testing::Test {
 protected:
  SteadyClock clock_;
  EventLoop loop_{&clock_};
};

TEST_F(EventLoopTest, RunsTasksInTheOrderOfTheirPosts) {
  std::vector<int> ran;
  for (int i = 0; i < 100; ++i) loop_.Post([&ran, i] { ran.push_back(i); });
  loop_.Stop();
  loop_.Run();
  ASSERT_EQ(ran.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ran[i], i);
}

TEST_F(EventLoopTest, ATaskMayPostAnother) {
  bool ran = false;
  loop_.Post([&] {
    loop_.Post([&] {
      ran = true;
      loop_.Stop();
    });
  });
  loop_.Run();
  EXPECT_TRUE(ran);
}

TEST_F(EventLoopTest, WakesForATimer) {
  const absl::Time asked = loop_.timers().now();
  absl::Time ran;
  loop_.timers().After(absl::Milliseconds(20), [&] {
    ran = loop_.timers().now();
    loop_.Stop();
  });
  loop_.Run();
  EXPECT_GE(ran - asked, absl::Milliseconds(20));
}

TEST_F(EventLoopTest, TakesEveryTaskOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTasks; ++i) {
        loop_.Post([&] {
          if (++ran == kThreads * kTasks) loop_.Stop();
        });
      }
    });
  }
  loop_.Run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kTasks);
}

TEST_F(EventLoopTest, KnowsItsOwnThread) {
  EXPECT_FALSE(loop_.InLoop());
  bool in_loop = false;
  std::thread runner([&] { loop_.Run(); });
  loop_.Post([&] { in_loop = loop_.InLoop(); });
  loop_.Stop();
  runner.join();
  EXPECT_TRUE(in_loop);
}

// Brings events of its own, as a queue of gRPC's does.
class EventSleeper final : public EventLoop::Sleeper {
 public:
  void Sleep(absl::Duration most) override {
    std::unique_lock lock(mutex_);
    const auto is_over = [this] { return woken_ || !events_.empty(); };
    ++sleeps_;
    asleep_.notify_all();
    if (most == absl::InfiniteDuration()) {
      changed_.wait(lock, is_over);
    } else {
      changed_.wait_for(lock, absl::ToChronoNanoseconds(most), is_over);
    }
    woken_ = false;
    std::vector<EventLoop::Task> events;
    events.swap(events_);
    lock.unlock();
    for (EventLoop::Task& event : events) std::move(event)();
  }
  void Wake() override {
    std::lock_guard lock(mutex_);
    ++wakes_;
    woken_ = true;
    changed_.notify_one();
  }

  void Happen(EventLoop::Task event) {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  void AwaitSleep() {
    std::unique_lock lock(mutex_);
    asleep_.wait(lock, [this] { return sleeps_ > 0; });
  }
  int wakes() {
    std::lock_guard lock(mutex_);
    return wakes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable asleep_;
  std::vector<EventLoop::Task> events_;
  bool woken_ = false;
  int sleeps_ = 0;
  int wakes_ = 0;
};

TEST_F(EventLoopTest, ASleepersEventsRunOnTheLoop) {
  EventSleeper sleeper;
  loop_.SetSleeper(&sleeper);
  std::thread runner([&] { loop_.Run(); });
  sleeper.AwaitSleep();
  bool in_loop = false;
  sleeper.Happen([&] {
    in_loop = loop_.InLoop();
    loop_.Stop();
  });
  runner.join();
  EXPECT_TRUE(in_loop);
}

TEST_F(EventLoopTest, APostWakesASleeperAndABusyLoopWakesNobody) {
  EventSleeper sleeper;
  loop_.SetSleeper(&sleeper);
  std::thread runner([&] { loop_.Run(); });
  sleeper.AwaitSleep();
  int ran = 0;
  loop_.Post([&] {
    for (int i = 0; i < 100; ++i) loop_.Post([&] { ++ran; });
    loop_.Stop();
  });
  runner.join();
  EXPECT_EQ(ran, 100);
  EXPECT_EQ(sleeper.wakes(), 1);
}

TEST_F(EventLoopTest, ASleeperWakesForATimer) {
  EventSleeper sleeper;
  loop_.SetSleeper(&sleeper);
  loop_.timers().After(absl::Milliseconds(5), [&] { loop_.Stop(); });
  loop_.Run();
  EXPECT_EQ(sleeper.wakes(), 0);
}

TEST_F(EventLoopTest, WithoutItsSleeperTheLoopGoesOn) {
  EventSleeper sleeper;
  loop_.SetSleeper(&sleeper);
  std::thread runner([&] { loop_.Run(); });
  sleeper.AwaitSleep();
  std::atomic<bool> taken_away = false;
  loop_.Post([&] {
    loop_.SetSleeper(nullptr);
    taken_away = true;
  });
  while (!taken_away) std::this_thread::yield();
  loop_.Stop();
  runner.join();
  EXPECT_EQ(sleeper.wakes(), 1);
}

}  // namespace
}  // namespace sluice::base
