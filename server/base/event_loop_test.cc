#include "base/event_loop.h"

#include <thread>
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

}  // namespace
}  // namespace sluice::base
