#include "rpc/loop_queue.h"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "grpcpp/alarm.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace sluice::rpc {
namespace {

class LoopQueueTest : public testing::Test {
 protected:
  LoopQueueTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials());
    queue_ = std::make_unique<LoopQueue>(&loop_, &builder);
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] { loop_.Run(); });
    queue_->Start();
  }
  ~LoopQueueTest() override {
    server_->Shutdown();
    queue_->Stop();
    loop_.Stop();
    thread_.join();
  }

  base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};
  std::unique_ptr<LoopQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

// An event of gRPC's.
class Event final : public LoopQueue::Tag {
 public:
  explicit Event(base::EventLoop* loop) : loop_(loop) {}
  void Start(LoopQueue* queue) { alarm_.Set(queue->queue(), gpr_now(GPR_CLOCK_REALTIME), static_cast<Tag*>(this)); }
  void OnComplete(bool) override {
    in_loop = loop_->InLoop();
    happened.Notify();
  }

  absl::Notification happened;
  bool in_loop = false;

 private:
  base::EventLoop* const loop_;
  grpc::Alarm alarm_;
};

TEST_F(LoopQueueTest, EventsAreHandledOnTheLoop) {
  Event event(&loop_);
  event.Start(queue_.get());
  event.happened.WaitForNotification();
  EXPECT_TRUE(event.in_loop);
}

// Each wakes the loop out of gRPC's poller, or finds it awake; a lost one would wait for ever.
TEST_F(LoopQueueTest, NoPostIsLostToAnyThread) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 3000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kPosts; ++i) {
        absl::Notification ran;
        loop_.Post([&ran] { ran.Notify(); });
        ran.WaitForNotification();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Between two tasks it looks for events, and goes on at once: had it to wait only until gRPC's next millisecond, this
// would take minutes.
TEST_F(LoopQueueTest, ABusyLoopDoesNotWait) {
  absl::Notification over;
  std::function<void(int)> go_on = [&](int left) {
    if (left == 0) return over.Notify();
    loop_.Post([&go_on, left] { go_on(left - 1); });
  };
  loop_.Post([&] { go_on(300'000); });
  over.WaitForNotification();
}

TEST_F(LoopQueueTest, TimersRunWhileItWaitsForEvents) {
  absl::Notification ran;
  loop_.Post([&] { loop_.timers().After(absl::Milliseconds(3), [&] { ran.Notify(); }); });
  ran.WaitForNotification();
}

// It waits for the last user, whose operations may still complete.
TEST_F(LoopQueueTest, StopWaitsForTheLastUser) {
  std::unique_ptr<LoopQueue::User> user;
  absl::Notification in_use;
  loop_.Post([&] {
    user = std::make_unique<LoopQueue::User>(queue_.get());
    in_use.Notify();
  });
  in_use.WaitForNotification();
  server_->Shutdown();
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    queue_->Stop();
    stopped = true;
  });
  for (int i = 0; i < 2000 && !stopped; ++i) {
    Event event(&loop_);
    event.Start(queue_.get());  // a queue that was shut down would not take it
    event.happened.WaitForNotification();
  }
  EXPECT_FALSE(stopped);
  loop_.Post([&] { user = nullptr; });
  stopper.join();
}

}  // namespace
}  // namespace sluice::rpc
