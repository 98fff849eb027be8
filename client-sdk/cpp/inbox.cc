#include "client-sdk/cpp/inbox.h"

#include <utility>

namespace sluice::internal {
namespace {

Message MessageOf(const std::shared_ptr<Frame>& frame, const Held* held) {
  return {frame, static_cast<size_t>(held - frame->held.data())};
}

}  // namespace

void Inbox::Push(std::shared_ptr<Frame> frame) {
  std::unique_lock lock(mutex_);
  if (closed_) return;
  frames_.push_back(std::move(frame));
  WakeNext(lock);
}

std::optional<Message> Inbox::Next(std::shared_ptr<Frame>& frame) {
  while (true) {
    if (frame && !halted_.load(std::memory_order_acquire)) {
      if (Held* held = frame->Claim()) return MessageOf(frame, held);
    }
    frame.reset();  // before waiting: it may be the last hold on a large payload
    std::vector<Lanes::Waiting> started;
    frame = Find(1, kForever, started);
    if (!started.empty()) return MessageOf(started[0].frame, started[0].held);
    if (!frame) return std::nullopt;
  }
}

bool Inbox::Take(std::shared_ptr<Frame>& frame, size_t most, Time until, std::vector<Message>& batch) {
  const size_t before = batch.size();
  while (true) {
    while (frame && batch.size() < most && !halted_.load(std::memory_order_acquire)) {
      Held* held = frame->Claim();
      if (held == nullptr) break;
      batch.push_back(MessageOf(frame, held));
    }
    if (batch.size() > before) return true;
    frame.reset();
    std::vector<Lanes::Waiting> started;
    frame = Find(most - before, until, started);
    for (const Lanes::Waiting& one : started) batch.push_back(MessageOf(one.frame, one.held));
    if (!frame) return batch.size() > before;
  }
}

std::shared_ptr<Frame> Inbox::Find(size_t most, Time until, std::vector<Lanes::Waiting>& started) {
  Garbage garbage;  // before the lock
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (!halted_) StartSome(most, started, garbage);
    const bool claimable = !halted_ && started.empty() && !frames_.empty();
    if (!started.empty() || claimable) {
      std::shared_ptr<Frame> front = claimable ? frames_.front() : nullptr;
      if (!frames_.empty() || lanes_.ready()) WakeNext(lock);  // as long as there is something for the next one
      return front;
    }
    if (!garbage.empty()) {
      lock.unlock();
      garbage.clear();
      lock.lock();
      continue;
    }
    if (finished_) return nullptr;
    ++waiting_;
    bool in_time = true;
    if (until == kForever) {
      changed_.wait(lock);
    } else {
      in_time = changed_.wait_until(lock, until) == std::cv_status::no_timeout;
    }
    --waiting_;
    if (!in_time) {
      WakeNext(lock);  // in case it was this one who was woken
      return nullptr;
    }
  }
  return nullptr;
}

// Up to the first frame without keys; that is claimed from without the lock.
void Inbox::StartSome(size_t most, std::vector<Lanes::Waiting>& started, Garbage& garbage) {
  const Lanes::Taker taker = most > 1 ? ++last_taker_ : 0;
  StartWaiting(most, taker, started, garbage);
  while (!frames_.empty()) {
    Frame& front = *frames_.front();
    if (front.exhausted()) {
      garbage.push_back(std::move(frames_.front()));
      frames_.pop_front();
      continue;
    }
    if (!front.laned || started.size() == most) return;
    Held& held = front.held[front.next++];
    if (held.place != Held::Place::kQueued) continue;
    Lanes::Waiting message{frames_.front(), &held};
    if (!lanes_.Enter(message, taker)) continue;
    if (held.Start()) {
      started.push_back(std::move(message));
    } else {
      lanes_.Leave(held.lane);
    }
  }
}

// What had to wait for its lane is older than all that is in frames.
void Inbox::StartWaiting(size_t most, Lanes::Taker taker, std::vector<Lanes::Waiting>& started, Garbage& garbage) {
  while (started.size() < most) {
    std::optional<Lanes::Waiting> next = lanes_.Next(taker);
    if (!next) return;
    const uint64_t lane = next->held->lane;
    size_t dropped = 0;
    while (next) {
      if (next->held->Start()) {
        started.push_back(std::move(*next));
      } else {
        garbage.push_back(std::move(next->frame));
        ++dropped;
      }
      const bool wants_more = started.size() < most && (taker != 0 || started.empty());
      next = wants_more ? lanes_.Behind(lane) : std::nullopt;
    }
    for (; dropped > 0; --dropped) lanes_.Leave(lane);
  }
}

void Inbox::Leave(uint64_t lane) {
  std::unique_lock lock(mutex_);
  if (lanes_.Leave(lane)) WakeNext(lock);
}

// Only without the mutex: else who wakes would wait for it at once.
void Inbox::WakeNext(std::unique_lock<std::mutex>& lock) {
  const bool wake = waiting_ > 0;
  lock.unlock();
  if (wake) changed_.notify_one();
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

void Inbox::Finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

void Inbox::Close() {
  std::deque<std::shared_ptr<Frame>> frames;
  std::deque<Lanes::Waiting> parked;
  std::lock_guard lock(mutex_);
  closed_ = true;
  halted_ = true;
  frames.swap(frames_);
  parked = lanes_.Clear();
  changed_.notify_all();
}

}  // namespace sluice::internal
