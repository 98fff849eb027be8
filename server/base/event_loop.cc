#include "base/event_loop.h"

#include <utility>

namespace sluice::base {

EventLoop::EventLoop(const Clock* clock) : timers_(clock) {}

void EventLoop::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void EventLoop::Run() {
  thread_ = std::this_thread::get_id();
  while (running_) {
    TakeTasks();
    timers_.Refresh();
    for (Task& task : batch_) std::move(task)();
    timers_.RunDue();
  }
}

void EventLoop::Stop() {
  Post([this] { running_ = false; });
}

void EventLoop::TakeTasks() {
  batch_.clear();
  const absl::Time due = timers_.NextDue();
  const auto has_tasks = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !tasks_.empty(); };
  absl::MutexLock lock(&mutex_);
  // Due times are of the loop's clock, which may differ from the wall clock by now: wait for the difference.
  timers_.Refresh();
  if (due == absl::InfiniteFuture()) {
    mutex_.Await(absl::Condition(&has_tasks));
  } else {
    mutex_.AwaitWithTimeout(absl::Condition(&has_tasks), due - timers_.now());
  }
  tasks_.swap(batch_);
}

}  // namespace sluice::base
