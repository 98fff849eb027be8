#include "base/event_loop.h"

#include <utility>

namespace sluice::base {

EventLoop::EventLoop(const Clock* clock) : timers_(clock) {}

void EventLoop::Post(Task task) {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (was_empty) wake_.notify_one();
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
  const auto has_tasks = [this] { return !tasks_.empty(); };
  std::unique_lock lock(mutex_);
  // Due times are of the loop's clock, which may differ from the wall clock by now: wait for the difference.
  timers_.Refresh();
  if (due == absl::InfiniteFuture()) {
    wake_.wait(lock, has_tasks);
  } else {
    wake_.wait_for(lock, absl::ToChronoNanoseconds(due - timers_.now()), has_tasks);
  }
  tasks_.swap(batch_);
}

}  // namespace sluice::base
