#include "client-sdk/cpp/inbox.h"

#include <utility>

namespace sluice::internal {

void Inbox::Push(std::shared_ptr<Frame> frame) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  frames_.push_back(std::move(frame));
  if (waiting_ > 0) changed_.notify_one();
}

std::optional<Message> Inbox::Next(std::shared_ptr<Frame>& frame) {
  while (true) {
    if (frame && !halted_.load(std::memory_order_acquire)) {
      if (Held* held = frame->Claim()) return Message(frame, held - frame->held.data());
    }
    frame.reset();  // before waiting: it may be the last hold on a large payload
    frame = Front();
    if (!frame) return std::nullopt;
  }
}

std::shared_ptr<Frame> Inbox::Front() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (!frames_.empty() && frames_.front()->exhausted()) {
      std::shared_ptr<Frame> exhausted = std::move(frames_.front());
      frames_.pop_front();
      lock.unlock();
      exhausted.reset();  // unlocked: a frame's end takes the Session's mutex
      lock.lock();
    } else if (!frames_.empty() && !halted_) {
      if (waiting_ > 0) changed_.notify_one();  // one wakes the next as long as there is something for it
      return frames_.front();
    } else {
      ++waiting_;
      changed_.wait(lock);
      --waiting_;
    }
  }
  return nullptr;
}

void Inbox::Pause() {
  std::lock_guard lock(mutex_);
  halted_ = true;
}

void Inbox::Resume() {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  halted_ = false;
  changed_.notify_one();
}

void Inbox::Close() {
  std::deque<std::shared_ptr<Frame>> frames;
  std::lock_guard lock(mutex_);
  closed_ = true;
  halted_ = true;
  frames.swap(frames_);
  changed_.notify_all();
}

}  // namespace sluice::internal
