#pragma once

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/event_loop.h"

namespace sluice::jetstream {

// The way from cnats's threads to an object on the loop. Those threads may come late, when the object and even the loop
// are gone: whoever they hold on to shares the gate, and the object closes it before it goes.
template <typename T>
class LoopGate : public std::enable_shared_from_this<LoopGate<T>> {
 public:
  LoopGate(base::EventLoop* loop, T* target) : target_(target), loop_(loop) {}

  // Any thread: runs `task(target)` on the loop, unless the gate is closed by then.
  template <typename Task>
  void Post(Task task) {
    absl::MutexLock lock(&mutex_);
    if (loop_ == nullptr) return;
    loop_->Post([self = this->shared_from_this(), task = std::move(task)]() mutable {
      if (self->target_ != nullptr) task(self->target_);
    });
  }

  // Loop only.
  void Close() {
    target_ = nullptr;
    absl::MutexLock lock(&mutex_);
    loop_ = nullptr;
  }

 private:
  T* target_;  // loop only

  absl::Mutex mutex_;
  base::EventLoop* loop_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice::jetstream
