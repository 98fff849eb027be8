#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/timers.h"

namespace sluice::base {

// The thread that owns core. Foreign threads (gRPC's, cnats's, signals) Post(); everything else happens here, one task
// after the other, so core needs no locks.
class EventLoop {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit EventLoop(const Clock* clock);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Any thread, also the loop's own: runs `task` on the loop, after what was posted before. After Stop() has taken
  // effect tasks are kept and never run.
  void Post(Task task);

  // Runs tasks and timers until Stop(). The calling thread is the loop.
  void Run();
  // Any thread. Run() returns when what was posted before has run.
  void Stop();

  bool InLoop() const { return std::this_thread::get_id() == thread_; }
  Timers& timers() { return timers_; }

 private:
  void TakeTasks();  // waits for a task or the next timer

  Timers timers_;            // loop only
  std::vector<Task> batch_;  // loop only
  std::thread::id thread_;   // set by Run()
  bool running_ = true;      // loop only

  // Of std, as the thread sanitizer sees nothing of a distribution's Abseil.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Task> tasks_;  // guarded by mutex_
};

}  // namespace sluice::base
