#include "base/timers.h"

namespace sluice::base {

Timers::Id Timers::At(absl::Time when, Callback callback) {
  const Id id = ++last_id_;
  pending_.emplace(Key(when, id), std::move(callback));
  due_.emplace(id, when);
  return id;
}

void Timers::Cancel(Id id) {
  auto it = due_.find(id);
  if (it == due_.end()) return;
  pending_.erase(Key(it->second, id));
  due_.erase(it);
}

absl::Time Timers::NextDue() const { return pending_.empty() ? absl::InfiniteFuture() : pending_.begin()->first.first; }

void Timers::RunDue() {
  Refresh();
  while (!pending_.empty() && pending_.begin()->first.first <= now_) {
    auto node = pending_.extract(pending_.begin());
    due_.erase(node.key().second);
    std::move(node.mapped())();
  }
}

void Timer::SetAt(absl::Time when, Timers::Callback callback) {
  Cancel();
  id_ = timers_->At(when, [this, callback = std::move(callback)]() mutable {
    id_ = 0;
    // Moved out first: the callback may re-arm this timer or destroy it.
    auto run = std::move(callback);
    run();
  });
}

void Timer::SetAfter(absl::Duration delay, Timers::Callback callback) {
  SetAt(timers_->now() + delay, std::move(callback));
}

void Timer::Cancel() {
  if (id_ != 0) timers_->Cancel(id_);
  id_ = 0;
}

}  // namespace sluice::base
