#include "core/lease_keeper.h"

#include <algorithm>

namespace sluice::core {
namespace {

// The server counts from when it sent the message, we from when we got it: end a little early, so that what we take for
// in time is in time for the server as well.
absl::Duration SafeAckWait(absl::Duration ack_wait) {
  return ack_wait - std::min(absl::Milliseconds(100), ack_wait / 10);
}

}  // namespace

LeaseKeeper::Queue::Queue(absl::Duration ack_wait)
    : ack_wait(ack_wait), safe_ack_wait(SafeAckWait(ack_wait)), extend_before(safe_ack_wait / 2) {}

LeaseKeeper::LeaseKeeper(base::Timers* timers, Owner* owner, absl::Duration lease_max)
    : timers_(timers), owner_(owner), lease_max_(lease_max), timer_(timers) {}

void LeaseKeeper::Add(Delivery* delivery, absl::Time sent) {
  delivery->lease_end = timers_->now() + lease_max_;
  Queue& queue = QueueOf(*delivery);
  delivery->ack_deadline = sent + queue.safe_ack_wait;
  queue.fresh.PushBack(delivery);
  Arm(queue.ExtensionDue(*delivery));
}

void LeaseKeeper::Adopt(Delivery* delivery) {
  delivery->lease_end = timers_->now() + lease_max_;
  ExtendOrEnd(QueueOf(*delivery), delivery);
}

void LeaseKeeper::SetEnd(Delivery* delivery, absl::Time lease_end) {
  delivery->lease_end = lease_end;
  const absl::Duration left = delivery->ack_deadline - timers_->now();
  const bool is_over = left <= absl::ZeroDuration();  // after a stall: its timer is about to say so
  if (is_over || left > delivery->ack_wait * 3 / 4 || !owner_->ExtendLease(*delivery)) return;
  LeaseList::Remove(delivery);
  Enqueue(QueueOf(*delivery), delivery);
}

void LeaseKeeper::Remove(Delivery* delivery) { LeaseList::Remove(delivery); }

void LeaseKeeper::ExtendAll() {
  for (auto& queue : queues_) {
    std::vector<Delivery*> all;
    for (LeaseList* list : {&queue->ending, &queue->fresh, &queue->extending}) {
      while (Delivery* delivery = list->PopFront()) all.push_back(delivery);
    }
    for (Delivery* delivery : all) ExtendOrEnd(*queue, delivery);
  }
}

LeaseKeeper::Queue& LeaseKeeper::QueueOf(const Delivery& delivery) {
  for (auto& queue : queues_) {
    if (queue->ack_wait == delivery.ack_wait) return *queue;
  }
  queues_.push_back(std::make_unique<Queue>(delivery.ack_wait));
  return *queues_.back();
}

void LeaseKeeper::Enqueue(Queue& queue, Delivery* delivery) {
  delivery->ack_deadline = timers_->now() + queue.safe_ack_wait;
  queue.extending.PushBack(delivery);
  Arm(queue.ExtensionDue(*delivery));
}

// Half of its ack wait is over. One that cannot be extended ends at its deadline, unless ExtendAll() comes before.
void LeaseKeeper::ExtendOrEnd(Queue& queue, Delivery* delivery) {
  const absl::Time now = timers_->now();
  const bool wanted = now < delivery->lease_end && now < delivery->ack_deadline;
  if (wanted && owner_->ExtendLease(*delivery)) {
    Enqueue(queue, delivery);
  } else {
    End(queue, delivery);
  }
}

// Nearly always at the end.
void LeaseKeeper::End(Queue& queue, Delivery* delivery) {
  Delivery* before = queue.ending.back();
  while (before != nullptr && before->ack_deadline > delivery->ack_deadline) before = queue.ending.prev(before);
  Delivery* after = before == nullptr ? queue.ending.front() : queue.ending.next(before);
  if (after == nullptr) {
    queue.ending.PushBack(delivery);
  } else {
    queue.ending.InsertBefore(after, delivery);
  }
  Arm(delivery->ack_deadline);
}

void LeaseKeeper::RunDue() {
  armed_for_ = absl::InfiniteFuture();
  const absl::Time now = timers_->now();
  std::vector<Delivery*> ended;
  for (auto& queue : queues_) {
    for (LeaseList* list : {&queue->fresh, &queue->extending}) {
      while (Delivery* delivery = list->front()) {
        if (queue->ExtensionDue(*delivery) > now) break;
        LeaseList::Remove(delivery);
        ExtendOrEnd(*queue, delivery);
      }
    }
    while (Delivery* delivery = queue->ending.front()) {
      if (delivery->ack_deadline > now) break;
      LeaseList::Remove(delivery);
      ended.push_back(delivery);
    }
    if (Delivery* next = queue->fresh.front()) Arm(queue->ExtensionDue(*next));
    if (Delivery* next = queue->extending.front()) Arm(queue->ExtensionDue(*next));
    if (Delivery* next = queue->ending.front()) Arm(next->ack_deadline);
  }
  if (!ended.empty()) owner_->OnLeasesEnded(ended);
}

void LeaseKeeper::Arm(absl::Time due) {
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.SetAt(due, [this] { RunDue(); });
}

}  // namespace sluice::core
