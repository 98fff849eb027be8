// Consumer: what goes back, to the apps of this pod or to JetStream.
#include <algorithm>
#include <utility>

#include "core/consumer.h"

namespace sluice::core {

void Consumer::TakeBack(absl::Span<Delivery* const> deliveries) {
  if (fenced()) return GiveBack(deliveries);  // no app may have them any more
  for (Delivery* delivery : deliveries) {
    if (delivery->state == Delivery::State::kExpired) {
      Remove(delivery);
    } else if (delivery->foreign) {
      GiveBack({&delivery, 1});  // its content is not here
    } else {
      Unlink(delivery);
      PutBack(delivery);
    }
  }
}

// For the next app that takes it, unless an earlier one of its key has come meanwhile.
void Consumer::PutBack(Delivery* delivery) {
  if (delivery->lane != nullptr && !delivery->lane->returning) {
    Defer(delivery);
  } else {
    dispatcher_.PutBack(delivery);
  }
}

void Consumer::GiveBack(absl::Span<Delivery* const> deliveries) {
  for (Delivery* delivery : deliveries) {
    if (delivery->state == Delivery::State::kExpired) {
      Remove(delivery);
    } else {
      GiveBackOne(delivery);
    }
  }
  if (lanes_ != nullptr) StartLanes();
  FlushReleases();
}

void Consumer::GiveBackOne(Delivery* delivery) {
  if (delivery->foreign && (delivery->in_doubt || IsLastAttempt(*delivery))) return Forsake(delivery);
  Session* session = delivery->session;
  const bool held = delivery->state == Delivery::State::kHeld || delivery->state == Delivery::State::kDeadLetter;
  Unlink(delivery);
  if (IsLastAttempt(*delivery)) {
    // A NAK would be the end of it.
    if (fenced()) {
      HandOutLastAttempt(delivery);
    } else {
      PutBack(delivery);
    }
    return;
  }
  if (delivery->foreign) NoteNaked(*delivery);
  if (delivery->lane != nullptr) LeaveLane(delivery);
  ++counters_.released;
  Tally(session, held ? &DrainReport::naked : &DrainReport::released);
  releasing_.PushBack(delivery);
}

// NAKs, ascending, what waits for that; unless it would come straight back, and count as one more attempt.
void Consumer::FlushReleases() {
  if (releasing_.empty() || NakWouldBounce()) return;
  // Where nothing may start now, what has come of a lane that goes back is still there.
  while (Delivery* delivery = lanes_ == nullptr ? nullptr : lanes_->TakeReturning(intake_.info().max_deliver)) {
    GiveBackOne(delivery);
  }
  std::vector<Delivery*> releases;
  while (Delivery* delivery = releasing_.PopFront()) releases.push_back(delivery);
  std::sort(releases.begin(), releases.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  for (Delivery* delivery : releases) Release(delivery);
  if (lanes_ != nullptr) lanes_->EndReturns();
}

void Consumer::Release(Delivery* delivery) {
  const bool in_time = timers_->now() < delivery->ack_deadline;
  if (in_time) return SendNak(delivery, absl::ZeroDuration());
  if (delivery->claimant != 0) {
    OnResults(delivery->claimant, SettleOutcome::kLate, {delivery->id}, kAckWaitOver);
  }
  Remove(delivery);
}

bool Consumer::NakWouldBounce() {
  if (drain_.active()) return drain_.nak_would_bounce();
  return intake_.pull_is_open() && dispatcher_.GetDemand().messages == 0;
}

// What found no app for as long as one may take to come back goes to other pods; at once, if none is to come back.
void Consumer::ArmReadyTimer() {
  if (departed_ && !drain_.active() && !NakWouldBounce()) GiveBack(dispatcher_.Take(timers_->now()));
  if (dispatcher_.empty() || drain_.active()) {
    ready_timer_.Cancel();
  } else if (!ready_timer_.pending()) {
    ready_timer_.SetAt(dispatcher_.oldest() + options_.resume_window, [this] {
      GiveBack(dispatcher_.Take(timers_->now() - options_.resume_window));
      ArmReadyTimer();
    });
  }
}

}  // namespace sluice::core
