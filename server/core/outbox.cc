#include "core/outbox.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace sluice::core {
namespace {

constexpr size_t kFirstRingSize = 1024;  // entries
constexpr absl::Duration kRetryAfter = absl::Milliseconds(50);

}  // namespace

void Outbox::Send(const Delivery& delivery, const Settlement& settlement) {
  Entry& entry = Append();
  entry.reply.assign(delivery.message.reply.data(), delivery.message.reply.size());
  entry.term_reason.assign(settlement.term_reason.data(), settlement.term_reason.size());
  entry.verdict = settlement.verdict;
  entry.nak_delay = settlement.nak_delay;
  entry.ack_deadline = delivery.ack_deadline;
  entry.nak_due = absl::InfinitePast();
  entry.sent = false;
  if (!connected_) return;
  Transmit(entry);
  if (confirming_ == 0 && end_ >= confirm_at_) ConfirmLast();
}

void Outbox::Fence(absl::Time deadline, FenceCallback callback) {
  waiters_.emplace_back(timers_, end_, std::move(callback));
  auto waiter = std::prev(waiters_.end());
  waiter->timeout.SetAt(begin_ == end_ ? timers_->now() : deadline, [this, waiter] {
    Waiter expired = {timers_, waiter->end, std::move(waiter->callback)};
    waiters_.erase(waiter);
    expired.callback(expired.end - std::min(expired.end, begin_));
  });
  if (connected_ && confirming_ == 0 && begin_ != end_) ConfirmLast();
}

void Outbox::OnConnection(bool connected) {
  connected_ = connected;
  if (!connected) return;
  uint64_t stale = 0;
  for (uint64_t position = begin_; position < end_; ++position) {
    Entry& entry = At(position);
    const bool in_time = timers_->now() < entry.ack_deadline;
    const bool safe = entry.verdict == Verdict::kAck || (in_time && (entry.verdict == Verdict::kTerm || !entry.sent));
    if (safe) {
      Transmit(entry);
    } else if (!entry.sent) {
      ++stale;
    }
  }
  if (stale > 0) base::LogWarning("verdicts came too late for the reconnect", {{"count", stale}});
  if (begin_ != end_ && confirming_ == 0) ConfirmLast();
}

void Outbox::OnConfirmed(uint64_t tag, const absl::Status& status) {
  if (tag != confirming_) return;
  confirming_ = 0;
  if (status.ok()) {
    Forget(tag);
    confirm_at_ = end_ + kFenceEvery;
    WakeWaiters();
  } else {
    confirm_at_ = end_ + 1;  // with the next verdict
  }
  if (!waiters_.empty()) {
    retry_.SetAfter(status.ok() ? absl::ZeroDuration() : kRetryAfter, [this] {
      if (connected_ && confirming_ == 0 && begin_ != end_) ConfirmLast();
    });
  }
}

Outbox::Entry& Outbox::Append() {
  if (end_ - begin_ == kMostKept) Forget(begin_ + kMostKept / 2);
  if (end_ - begin_ == ring_.size()) {
    std::vector<Entry> larger(std::max(kFirstRingSize, ring_.size() * 2));
    for (uint64_t position = begin_; position < end_; ++position) {
      larger[position & (larger.size() - 1)] = std::move(At(position));
    }
    ring_.swap(larger);
  }
  return At(end_++);
}

void Outbox::Transmit(Entry& entry) {
  entry.sent = true;
  if (entry.nak_delay > absl::ZeroDuration()) entry.nak_due = timers_->now() + entry.nak_delay;
  source_->Settle(entry.reply, {entry.verdict, entry.nak_delay, entry.term_reason});
}

// Asks for an answer, which vouches for all that was sent before, whichever message it names. On a settled message an
// ACK is answered and changes nothing (measured on nats-server 2.9, 2.10 and 2.15). Where there are only NAKs, an
// in-progress does no harm to a message's next holder; but it sets back the clock of a delayed NAK, which is said again
// instead, with what is left of its delay.
void Outbox::ConfirmLast() {
  const auto is_settled = [](const Entry& entry) { return entry.sent && entry.verdict != Verdict::kNak; };
  uint64_t position = end_ - 1;
  while (position > begin_ && !is_settled(At(position))) --position;
  if (!is_settled(At(position))) position = end_ - 1;
  const Entry& entry = At(position);
  Settlement probe;
  if (!is_settled(entry)) {
    const absl::Duration left = entry.nak_due - timers_->now();
    const bool waits = left > absl::ZeroDuration();
    probe = {waits ? Verdict::kNak : Verdict::kInProgress, waits ? left : absl::ZeroDuration(), {}};
  }
  confirming_ = end_;
  source_->Confirm(entry.reply, probe, confirming_);
}

void Outbox::Forget(uint64_t end) { begin_ = std::max(begin_, end); }

void Outbox::WakeWaiters() {
  std::list<Waiter> done;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    auto next = std::next(it);
    if (it->end <= begin_) done.splice(done.end(), waiters_, it);
    it = next;
  }
  for (Waiter& waiter : done) {
    waiter.timeout.Cancel();
    waiter.callback(0);
  }
}

}  // namespace sluice::core
