#pragma once

#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/clock.h"
#include "base/event_loop.h"

namespace sluice::test {

// An event loop on a thread of its own, for tests of what runs on the loop.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.Run(); }) {}
  ~LoopThread() {
    loop_.Stop();
    thread_.join();
  }

  base::EventLoop* loop() { return &loop_; }

  // Runs `function` on the loop and returns what it returned.
  template <typename Function>
  auto Run(Function function) {
    using Result = decltype(function());
    absl::Notification done;
    if constexpr (std::is_void_v<Result>) {
      loop_.Post([&] {
        function();
        done.Notify();
      });
      done.WaitForNotification();
    } else {
      std::optional<Result> result;
      loop_.Post([&] {
        result.emplace(function());
        done.Notify();
      });
      done.WaitForNotification();
      return *std::move(result);
    }
  }

 private:
  const base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};
  std::thread thread_;
};

}  // namespace sluice::test
