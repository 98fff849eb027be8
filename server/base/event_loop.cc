#include "base/event_loop.h"

#include <utility>

namespace sluice::base {

EventLoop::EventLoop(const Clock* clock) : timers_(clock) {}

void EventLoop::Post(Task task) {
  std::unique_lock lock(mutex_);
  tasks_.push_back(std::move(task));
  if (!std::exchange(sleeping_, false)) return;
  if (sleeper_ != nullptr) return sleeper_->Wake();  // with the lock, so that it is not taken away meanwhile
  lock.unlock();
  wake_.notify_one();
}

void EventLoop::SetSleeper(Sleeper* sleeper) {
  std::lock_guard lock(mutex_);
  sleeper_ = sleeper;
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
  Wait();
  std::lock_guard lock(mutex_);
  sleeping_ = false;
  tasks_.swap(batch_);
}

void EventLoop::Wait() {
  // Due times are of the loop's clock, which may differ from the wall clock by now: wait for the difference.
  timers_.Refresh();
  const absl::Duration most = timers_.NextDue() - timers_.now();
  std::unique_lock lock(mutex_);
  sleeping_ = tasks_.empty();
  if (sleeper_ != nullptr) {
    Sleeper* const sleeper = sleeper_;  // only the loop takes it away
    const bool busy = !sleeping_;
    lock.unlock();
    return sleeper->Sleep(busy ? absl::ZeroDuration() : most);
  }
  const auto has_tasks = [this] { return !tasks_.empty(); };
  if (most == absl::InfiniteDuration()) {
    wake_.wait(lock, has_tasks);
  } else {
    wake_.wait_for(lock, absl::ToChronoNanoseconds(most), has_tasks);
  }
}

}  // namespace sluice::base
