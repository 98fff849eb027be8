#include "core/dispatcher.h"

#include <algorithm>

namespace sluice::core {

void Dispatcher::Add(Delivery* delivery) { Append(ready_, delivery); }

void Dispatcher::PutBack(Delivery* delivery) { Append(returned_, delivery); }

void Dispatcher::Append(DeliveryList& list, Delivery* delivery) {
  delivery->state = Delivery::State::kReady;
  delivery->ready_since = timers_->now();
  list.PushBack(delivery);
  ++ready_count_;
  ready_bytes_ += delivery->bytes;
}

// Once for all that has come back, as it may be that of a thousand streams at once.
void Dispatcher::MergeReturned() {
  if (returned_.empty()) return;
  std::vector<Delivery*> returned;
  while (Delivery* delivery = returned_.PopFront()) returned.push_back(delivery);
  std::stable_sort(returned.begin(), returned.end(),
                   [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  Delivery* successor = ready_.front();
  for (Delivery* delivery : returned) {
    while (successor != nullptr && successor->stream_sequence() < delivery->stream_sequence()) {
      successor = ready_.next(successor);
    }
    if (successor == nullptr) {
      ready_.PushBack(delivery);
    } else {
      ready_.InsertBefore(successor, delivery);
    }
  }
}

void Dispatcher::Remove(Delivery* delivery) {
  DeliveryList::Remove(delivery);
  --ready_count_;
  ready_bytes_ -= delivery->bytes;
}

std::vector<Delivery*> Dispatcher::Take(absl::Time until) {
  MergeReturned();
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
    changed_.Remove(session);
    Count(session, Session::Offer());
    return;
  }
  if (!session->turn.linked()) eligible_.PushBack(session);
  if (!session->changed.linked()) changed_.PushBack(session);
}

void Dispatcher::Count(Session* session, const Session::Offer& offer) {
  offered_.messages += offer.messages - session->offer.messages;
  offered_.bytes += offer.bytes - session->offer.bytes;
  idle_ += uint64_t{offer.idle} - uint64_t{session->offer.idle};
  patient_ += uint64_t{offer.patient} - uint64_t{session->offer.patient};
  session->offer = offer;
}

void Dispatcher::Run() {
  do {
    touched_.clear();
    Assign();
    for (Session* session : touched_) session->Flush();  // which makes room for the next frame
  } while (!touched_.empty());
}

const Delivery* Dispatcher::RunOne() {
  MergeReturned();
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
  if (eligible_.empty()) return nullptr;
  MergeReturned();
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

Demand Dispatcher::GetDemand() {
  while (Session* session = changed_.PopFront()) {
    const bool patient = session->wanted_until() == absl::InfiniteFuture();
    Count(session, {session->free_messages(), session->free_bytes(), session->idle(), patient});
  }
  if (offered_.messages <= ready_count_ || offered_.bytes <= ready_bytes_) return Demand();
  Demand demand;
  demand.messages = offered_.messages - ready_count_;
  demand.bytes = offered_.bytes - ready_bytes_;
  demand.idle_session = idle_ > 0;
  demand.wanted_for = WantedUntil() - timers_->now();
  return demand;
}

absl::Time Dispatcher::WantedUntil() const {
  if (patient_ > 0) return absl::InfiniteFuture();
  absl::Time until = absl::InfinitePast();
  for (Session* session = eligible_.front(); session != nullptr; session = eligible_.next(session)) {
    until = std::max(until, session->wanted_until());
  }
  return until;
}

absl::Time Dispatcher::oldest() {
  MergeReturned();
  absl::Time oldest = absl::InfiniteFuture();
  for (Delivery* delivery = ready_.front(); delivery != nullptr; delivery = ready_.next(delivery)) {
    oldest = std::min(oldest, delivery->ready_since);
  }
  return oldest;
}

}  // namespace sluice::core
