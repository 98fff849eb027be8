#include "core/dispatcher.h"

#include <algorithm>

namespace sluice::core {

void Dispatcher::Add(Delivery* delivery) {
  delivery->state = Delivery::State::kReady;
  delivery->ready_since = timers_->now();
  ready_.PushBack(delivery);
  ++ready_count_;
  ready_bytes_ += delivery->bytes;
}

void Dispatcher::PutBack(Delivery* delivery) {
  const Delivery* last = ready_.back();
  if (last == nullptr || last->stream_sequence() < delivery->stream_sequence()) return Add(delivery);
  Delivery* successor = ready_.front();
  while (successor != nullptr && successor->stream_sequence() < delivery->stream_sequence()) {
    successor = ready_.next(successor);
  }
  Add(delivery);
  DeliveryList::Remove(delivery);
  ready_.InsertBefore(successor, delivery);
}

void Dispatcher::Remove(Delivery* delivery) {
  DeliveryList::Remove(delivery);
  --ready_count_;
  ready_bytes_ -= delivery->bytes;
}

std::vector<Delivery*> Dispatcher::Take(absl::Time until) {
  std::vector<Delivery*> taken;
  for (Delivery* delivery = ready_.front(); delivery != nullptr;) {
    Delivery* next = ready_.next(delivery);
    if (delivery->ready_since <= until) {
      Remove(delivery);
      taken.push_back(delivery);
    }
    delivery = next;
  }
  return taken;
}

void Dispatcher::SetEligible(Session* session, bool eligible) {
  if (!eligible) {
    eligible_.Remove(session);
  } else if (!session->turn.linked()) {
    eligible_.PushBack(session);
  }
}

void Dispatcher::Run() {
  do {
    touched_.clear();
    Assign();
    for (Session* session : touched_) session->Flush();  // which makes room for the next frame
  } while (!touched_.empty());
}

const Delivery* Dispatcher::RunOne() {
  const Delivery* first = ready_.front();
  Session* session = AssignFirst();
  if (session == nullptr) return nullptr;
  session->Flush();
  return first;
}

void Dispatcher::Assign() {
  while (Session* session = AssignFirst()) {
    if (session->queued() == 1) touched_.push_back(session);
  }
}

// To whom it went; null: it went nowhere.
Session* Dispatcher::AssignFirst() {
  Delivery* delivery = ready_.front();
  Session* session = delivery == nullptr ? nullptr : Choose(*delivery);
  if (session == nullptr) return nullptr;
  Remove(delivery);
  session->Enqueue(delivery);
  return session;
}

// The first in turn that has room; it then goes to the end. None may overtake a message that is too large for all.
Session* Dispatcher::Choose(const Delivery& delivery) {
  for (Session* session = eligible_.front(); session != nullptr; session = eligible_.next(session)) {
    if (!session->HasRoomFor(delivery.bytes)) continue;
    eligible_.Remove(session);
    eligible_.PushBack(session);
    return session;
  }
  return nullptr;
}

Demand Dispatcher::GetDemand() const {
  Demand demand;
  absl::Time wanted_until = absl::InfinitePast();
  for (Session* session = eligible_.front(); session != nullptr; session = eligible_.next(session)) {
    demand.messages += session->free_messages();
    demand.bytes += session->free_bytes();
    demand.idle_session |= session->idle();
    wanted_until = std::max(wanted_until, session->wanted_until());
  }
  if (demand.messages <= ready_count_ || demand.bytes <= ready_bytes_) return Demand();
  demand.messages -= ready_count_;
  demand.bytes -= ready_bytes_;
  demand.wanted_for = wanted_until - timers_->now();
  return demand;
}

absl::Time Dispatcher::oldest() const {
  absl::Time oldest = absl::InfiniteFuture();
  for (Delivery* delivery = ready_.front(); delivery != nullptr; delivery = ready_.next(delivery)) {
    oldest = std::min(oldest, delivery->ready_since);
  }
  return oldest;
}

}  // namespace sluice::core
