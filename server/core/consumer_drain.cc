// The drain of one consumer, phase by phase; see drain_report.h for the phases and intake.h for why the fence is what
// it is.

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "core/consumer.h"
#include "core/trace_context.h"

namespace sluice::core {

void Consumer::BeginDrain(absl::Time deadline) {
  AdmitWaiting();
  drain_deadline_ = deadline;
  for (const auto& [number, session] : sessions_) {
    for (Delivery* delivery : session->Held()) Await(delivery);
  }
  for (Delivery* delivery : dead_letters_.deliveries()) Await(delivery);
  dead_letters_.StopListening();
  drain_.Enter(DrainPhase::kQuiescing);
  ready_timer_.Cancel();
  for (const auto& [number, session] : sessions_) {
    session->Tell(DrainingNotice{DrainReason::kDaemon, deadline});
    dispatcher_.SetEligible(session.get(), false);
    TakeBack(session->Queued());
  }
  in_flight_.ForEach([this](Delivery& delivery) {
    if (delivery.state == Delivery::State::kReady) leases_.Hold(&delivery);  // until the fence, however long that takes
  });
  if (pin_ != nullptr) pin_->BeginDrain();
  if (lanes_ != nullptr) {
    lanes_->BeginDrain();
    StartLanes();
  }
  drain_timer_.SetAt(deadline, [this] { OnDrainDeadline(); });
  intake_.Close([this] { drain_.Enter(DrainPhase::kFencing); }, [this] { OnFenced(); });
}

// Once each, however many apps it is offered to.
void Consumer::Await(Delivery* delivery) {
  if (delivery->state == Delivery::State::kExpired) return;
  drain_.report().awaited += !std::exchange(delivery->awaited, true);
}

// No message can be under way to us any more: what no app has seen goes back, and what was waiting for this.
void Consumer::OnFenced() {
  drain_.Enter(DrainPhase::kReleasing);
  GiveBack(dispatcher_.Take(absl::InfiniteFuture()));
  FlushReleases();
  drain_.Enter(DrainPhase::kSettling);
  if (timers_->now() >= drain_deadline_) OnDrainDeadline();
  CheckSettled();
}

// A NAK would make the server give the message up, and so would silence: an app with credit may still take it.
void Consumer::HandOutLastAttempt(Delivery* delivery) {
  const bool in_time = timers_->now() < drain_deadline_;
  for (const auto& [number, session] : sessions_) {
    if (!in_time || !session->attached() || session->draining() || !session->HasRoomFor(delivery->bytes)) continue;
    leases_.Restart(delivery);
    session->Enqueue(delivery);
    session->Flush();
    return;
  }
  if (MayBury(*delivery)) return Bury(delivery, DeadLetterReason::kLastDelivery);
  NameUnsettled(*delivery);
  Remove(delivery);
}

void Consumer::NameUnsettled(const Delivery& delivery) {
  ++drain_.report().unsettled;
  base::LogError("unsettled: on its last delivery, a NAK would discard it",
                 WithTrace({{"stream", options_.stream},
                            {"consumer", options_.durable},
                            {"stream_seq", delivery.stream_sequence()},
                            {"delivery", delivery.message.num_delivered}},
                           delivery.message));
}

void Consumer::OnDrainDeadline() {
  if (drain_.phase() != DrainPhase::kSettling) return;  // OnFenced() looks at the deadline itself
  std::vector<Delivery*> held;
  for (const auto& [number, session] : sessions_) {
    for (Delivery* delivery : session->Queued()) held.push_back(delivery);
    for (Delivery* delivery : session->Held()) held.push_back(delivery);
  }
  for (Delivery* delivery : dead_letters_.deliveries()) {
    if (!IsLastAttempt(*delivery)) held.push_back(delivery);
  }
  drain_.report().deadline_exceeded |= held_ > 0;
  std::sort(held.begin(), held.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  GiveBack(held);
  // What could not go back, and what nobody holds.
  if (dead_letters_.size() > 0) drain_timer_.SetAfter(options_.confirm_timeout, [this] { EndDeadLetters(); });
  CheckSettled();
}

void Consumer::CheckSettled() {
  if (drain_.phase() != DrainPhase::kSettling || held_ > 0 || dead_letters_.size() > 0) return;
  for (const auto& [number, session] : sessions_) {
    if (!session->queue_empty()) return;  // the last attempts, handed out while draining
  }
  GiveBackFinished();
  drain_.Enter(DrainPhase::kConfirming);
  // A server that is slow, or away, is waited for as long as the apps might have taken.
  const absl::Time latest = std::max(timers_->now() + options_.confirm_timeout, drain_deadline_);
  outbox_.Fence(latest, [this](uint64_t unconfirmed) { OnDrainConfirmed(unconfirmed); });
}

void Consumer::OnDrainConfirmed(uint64_t unconfirmed) {
  if (unconfirmed > 0) {
    base::LogError("unsettled: verdicts that the server has not confirmed; they may be delivered again",
                   {{"consumer", options_.name}, {"count", unconfirmed}});
  }
  outbox_.FailClaims(0, kNotConfirmedInDrain);
  FailUnacked();
  NameGivenUp();
  drain_.report().unsettled += unconfirmed;
  // Last, so that the next holder finds all of it settled or given back.
  const bool unpinning = pin_ != nullptr && pin_->UnpinLast();
  if (!unpinning) FinishDrain();
}

void Consumer::FinishDrain() {
  drain_.Enter(DrainPhase::kClosed);
  drain_timer_.Cancel();
  base::LogInfo("drained", {{"consumer", options_.name}, {"report", drain_.report().ToString()}});
  while (!sessions_.empty()) {
    Session* session = sessions_.begin()->second.get();
    session->Tell(DrainedNotice{drain_.report()});
    session->FinishStream(absl::OkStatus());
    GiveBack(session->Held());  // only what has expired
    EndSession(session);
  }
  owner_->OnDrained();
}

}  // namespace sluice::core
