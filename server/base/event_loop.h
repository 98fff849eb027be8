#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/timers.h"

namespace sluice::base {

// The thread that owns core. Foreign threads (cnats's, signals) Post(); everything else happens here, one task
// after the other, so core needs no locks.
class EventLoop {
 public:
  using Task = absl::AnyInvocable<void()>;

  // How the loop waits when there is nothing to do: on a condition variable, unless a Sleeper brings it events of its
  // own, which saves handing them over from another thread.
  class Sleeper {
   public:
    virtual ~Sleeper() = default;
    // The loop: waits for Wake(), for an event, or for `most`, and handles the events that are there. Returns at once
    // if there was a Wake() since it returned.
    virtual void Sleep(absl::Duration most) = 0;
    // Any thread.
    virtual void Wake() = 0;
  };

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

  // On the loop, or while it does not run. Null: none. It outlives the loop, or is taken away before it goes.
  void SetSleeper(Sleeper* sleeper);

  bool InLoop() const { return std::this_thread::get_id() == thread_; }
  Timers& timers() { return timers_; }

 private:
  void TakeTasks();
  void Wait();  // for a task or the next timer

  Timers timers_;            // loop only
  std::vector<Task> batch_;  // loop only
  std::thread::id thread_;   // set by Run()
  bool running_ = true;      // loop only

  // Of std, as the thread sanitizer sees nothing of a distribution's Abseil.
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::vector<Task> tasks_;
  Sleeper* sleeper_ = nullptr;
  bool sleeping_ = false;  // whoever posts next wakes it
};

}  // namespace sluice::base
