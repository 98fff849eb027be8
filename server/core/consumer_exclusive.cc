// ordering: exclusive: what it does to the messages here that this daemon becomes the active one, or another does; see
// pin.h for the rules.

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "core/consumer.h"

namespace sluice::core {

// --- what the Pin asks ---

bool Consumer::WantsPin() {
  return held_ > 0 || std::any_of(sessions_.begin(), sessions_.end(), [](const auto& entry) {
           const Session& session = *entry.second;
           return session.attached() && !session.draining() && session.free_messages() > 0 && session.free_bytes() > 0;
         });
}

bool Consumer::HasNothing() {
  return !intake_.pull_is_open() && held_ == 0 && CountHere(std::numeric_limits<uint64_t>::max()) == 0;
}

// A message once, however many attempts at it are here: with apps, dead letters and what apps brought back by token as
// well. What the server is about to deliver again does not count, nor what it may have delivered to another pod.
uint64_t Consumer::CountHere(uint64_t consumer_sequence) {
  absl::flat_hash_set<uint64_t> here;
  in_flight_.ForEach([&](const Delivery& delivery) {
    const bool leased = delivery.state != Delivery::State::kExpired && timers_->now() < delivery.ack_deadline;
    const bool settled = floor_ != nullptr && floor_->IsSettled(delivery.stream_sequence());
    const bool ours = leased && !delivery.in_doubt && !settled;
    if (ours && delivery.message.consumer_sequence <= consumer_sequence) here.insert(delivery.stream_sequence());
  });
  return here.size();
}

bool Consumer::RequestInfo() {
  if (!intake_.ready()) return false;
  intake_.RequestInfo();
  return true;
}

bool Consumer::RenewPin(const std::string& pin_id, uint64_t id) {
  if (!intake_.ready()) return false;
  source_->RenewPin(pin_id, id);
  return true;
}

bool Consumer::Unpin() {
  if (!outbox_.connected()) return false;
  source_->Unpin();
  return true;
}

// --- what it tells ---

void Consumer::OnPinChanged(Pin::State before) {
  if (drain_.active()) return;
  if (floor_ != nullptr && pin_->state() != Pin::State::kActive) floor_->Doubt();
  switch (pin_->state()) {
    case Pin::State::kStandby:
    case Pin::State::kLeaving:
      KeepUnseen();
      lanes_->SetPassing(true);  // Pump() gives it back
      break;
    case Pin::State::kGathering:
      lanes_->SetPassing(false);
      KeepUnseen();
      break;
    case Pin::State::kActive:
      lanes_->OnAllHere();
      OnAllHere();
      break;
  }
  TellState();
  // Messages that bring a pin are taken in right after this.
  if (before != pin_->state() && !pin_->gathering()) Pump();
}

// Back into its lane, whatever it was about to do: be given to an app, or go back to JetStream.
void Consumer::KeepUnseen() {
  if (pin_->gathering()) {
    while (Delivery* delivery = releasing_.PopFront()) {
      if (delivery->foreign) {  // its content is not here, so it has to come again
        Release(delivery);
        continue;
      }
      if (delivery->claimant != 0) {
        outbox_.Confirm({std::exchange(delivery->claimant, 0), delivery->id});
        in_flight_.Rename(delivery);
      }
      AddToLane(delivery);
    }
    lanes_->EndReturns();
  }
  for (const auto& [number, session] : sessions_) {
    for (Delivery* delivery : session->Queued()) {
      Unlink(delivery);
      Defer(delivery);
    }
  }
  for (Delivery* delivery : dispatcher_.Take(absl::InfiniteFuture())) Defer(delivery);
}

void Consumer::OnPinSure() {
  if (drain_.active() || !MayHandOut()) return;
  for (const auto& [number, session] : sessions_) session->Flush();
  Pump();
}

void Consumer::OnPinNews() {
  TellState();
  Pump();
}

// Into our own pull, so that what is still outstanding comes straight back.
void Consumer::NakUnseen() {
  KeepUnseen();
  std::vector<Delivery*> unseen;
  in_flight_.ForEach([&](Delivery& delivery) {
    const bool goes = delivery.state == Delivery::State::kWaiting && !IsLastAttempt(delivery);
    if (goes) unseen.push_back(&delivery);
  });
  std::sort(unseen.begin(), unseen.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  for (Delivery* delivery : unseen) {
    ++counters_.released;
    Release(delivery);
  }
}

void Consumer::OnUnpinned() {
  if (drain_.phase() == DrainPhase::kConfirming) FinishDrain();
}

// --- what it changes ---

// Whatever the apps' credit and health, as long as there are apps: what is missing may be more than that.
Demand Consumer::GatherDemand() const {
  Demand demand;
  const bool has_apps = std::any_of(sessions_.begin(), sessions_.end(), [](const auto& entry) {
    return entry.second->attached() && !entry.second->draining() && !entry.second->keeps_only();
  });
  if (!has_apps) return demand;
  demand.messages = pin_->wanted();
  demand.idle_session = true;
  demand.redelivery = true;
  return demand;
}

// A takeover waits for what JetStream was told to deliver later, so that is not longer than what a crash makes it wait.
absl::Duration Consumer::CapDelay(const Delivery& delivery, absl::Duration delay) const {
  return pin_ == nullptr ? delay : std::min(delay, delivery.ack_wait);
}

}  // namespace sluice::core
