// What becomes of a message that failed, and the order within a key; see redelivery.h and lanes.h for the rules.

#include <algorithm>
#include <utility>
#include <vector>

#include "core/consumer.h"

namespace sluice::core {
namespace {

// What a share is of, where max_ack_pending has no limit.
constexpr uint64_t kUnlimitedWindow = 20'000;

bool Ascending(const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); }

}  // namespace

// --- failures ---

// What becomes of a message whose app could not do it, unless it becomes a dead letter (ReasonAfter()).
void Consumer::OnFailed(Delivery* delivery, absl::Duration asked) {
  if (delivery->foreign) return NakForeign(delivery, asked);
  const bool ordered = delivery->lane != nullptr;
  if (ordered && drain_.active()) {
    // Its delay is cut short: its successors go back right behind it.
    if (drain_.nak_would_bounce()) {
      Unlink(delivery);
      lanes_->Leave(delivery);
      releasing_.PushBack(delivery);
    } else {
      SendNak(delivery, absl::ZeroDuration());
    }
    return;
  }
  if (ordered && GivesBack() && !IsLastAttempt(*delivery)) {
    // Its next holder waits for it: no delay either.
    Unlink(delivery);
    lanes_->LeaveReturning(delivery);
    releasing_.PushBack(delivery);
    return;
  }
  const absl::Duration wait = redelivery_.DelayAfter(delivery->attempt(), asked, intake_.info().max_ack_pending);
  if (ordered && !redelivery_.IsLast(delivery->attempt())) return Retry(delivery, wait);
  // What JetStream gives up is given up at once where others wait for that (ack_policy: all).
  const bool no_use = floor_ != nullptr && IsLastAttempt(*delivery);
  const absl::Duration delay = no_use ? absl::ZeroDuration() : CapDelay(*delivery, wait);
  if (delay == absl::ZeroDuration() && drain_.nak_would_bounce()) {
    Unlink(delivery);
    releasing_.PushBack(delivery);
    return;
  }
  SendNak(delivery, delay);
}

void Consumer::SendNak(Delivery* delivery, absl::Duration delay) {
  outbox_.Send(*delivery, {Verdict::kNak, delay, {}, NakAs()}, {delivery->claimant, delivery->id});
  // It is given up before the next ACK comes.
  const bool given_up = IsLastAttempt(*delivery) && delay == absl::ZeroDuration();
  if (floor_ != nullptr && given_up) floor_->GiveUp(delivery->stream_sequence());
  Remove(delivery);
}

// From here, so that its successors wait for it. JetStream need not know: if we die, it delivers it again anyway.
void Consumer::Retry(Delivery* delivery, absl::Duration delay) {
  outbox_.Confirm({std::exchange(delivery->claimant, 0), delivery->id});
  Unlink(delivery);
  in_flight_.Rename(delivery);
  ++delivery->failures;
  delivery->not_before = timers_->now() + delay;
  Defer(delivery);
}

// Back into its lane, where no app is to blame for how long it stays.
void Consumer::Defer(Delivery* delivery) {
  leases_.Hold(delivery);
  lanes_->Defer(delivery);
}

// --- order ---

void Consumer::AddToLane(Delivery* delivery) {
  leases_.Hold(delivery);
  if (Delivery* stale = lanes_->Add(delivery)) {
    delivery->failures = stale->failures;
    delivery->received = stale->received;
    delivery->not_before = stale->not_before;
    Remove(stale);
  }
  Delivery* head = delivery->lane->head;
  if (head == nullptr || head->stream_sequence() <= delivery->stream_sequence()) return;
  const bool unseen = head->state == Delivery::State::kReady || head->state == Delivery::State::kQueued;
  if (!unseen) return;
  Unlink(head);
  Defer(head);
}

void Consumer::StartLanes() {
  while (Delivery* delivery = lanes_->TakeStartable(MayStartUpTo())) {
    if (IsDone(*delivery)) {  // by an ACK on another attempt at it
      Remove(delivery);
      continue;
    }
    const bool goes_back = fenced() || delivery->lane->returning || (GivesBack() && !IsLastAttempt(*delivery));
    if (goes_back) {
      GiveBackOne(delivery);
    } else if (IsPastMaxDeliveries(*delivery)) {
      Bury(delivery, DeadLetterReason::kMaxDeliveries);
    } else {
      if (!drain_.active()) leases_.Restart(delivery);  // else it waits for the fence, and no app is to blame
      dispatcher_.PutBack(delivery);
    }
  }
  if (fenced() || GivesBack()) FlushReleases();
}

// On its way back to JetStream, and what is behind it as well.
void Consumer::LeaveLane(Delivery* delivery) {
  if (drain_.active()) {
    lanes_->Leave(delivery);  // nothing starts any more
  } else {
    lanes_->LeaveReturning(delivery);
  }
}

// JetStream has delivered it again meanwhile, and now takes both as settled: no app is to see it, and a takeover must
// not count it for a message that it waits for.
void Consumer::DropUnseenTwins(const Delivery& acked) {
  if (lanes_ == nullptr) return;
  while (Delivery* twin = lanes_->FindUnseenTwin(acked)) {
    if (floor_ != nullptr) {
      Finish(twin, {}, {});  // it stays leased until the ACK goes out
    } else {
      Remove(twin);
    }
  }
}

void Consumer::LoseFromLane(Delivery* delivery) {
  // It is out of the keeper's lists, but maybe in one of the lane's.
  if (delivery->state == Delivery::State::kWaiting) Unlink(delivery);
  // After a stall it is let go of as early as its ack wait may be over; JetStream may have sent it as late as it came.
  const absl::Time came = delivery->foreign ? absl::InfinitePast() : delivery->received + delivery->ack_wait;
  lanes_->LeaveAbsent(delivery, std::max(delivery->ack_deadline, came));
}

void Consumer::HandBack(Session* session, absl::Span<Delivery* const> held) {
  std::vector<std::pair<Delivery*, uint64_t>> ids;
  for (Delivery* delivery : held) ids.emplace_back(delivery, delivery->id);
  if (lanes_ == nullptr || drain_.active() || !HasSibling(session)) {
    GiveBack(held);
  } else {
    for (const Delivery* delivery : held) {
      if (delivery->state == Delivery::State::kHeld) Tally(session, &DrainReport::naked);
    }
    TakeBack(held);
  }
  // What stays for another app is no more the one's that had it, though both may call by the same session.
  for (const auto& [delivery, id] : ids) {
    const bool waits = delivery->state == Delivery::State::kReady || delivery->state == Delivery::State::kWaiting;
    if (delivery->live && delivery->id == id && waits) in_flight_.Rename(delivery);
  }
}

bool Consumer::HasSibling(const Session* session) const {
  return std::any_of(sessions_.begin(), sessions_.end(), [session](const auto& entry) {
    const Session* other = entry.second.get();
    return other != session && other->attached() && !other->draining() && !other->keeps_only();
  });
}

// --- a hot key ---

// Of what waits in lanes; bytes are memory here, and so go by the apps' credit. None without an app.
Credit Consumer::WaitingLimit() const {
  uint64_t bytes = 0;
  for (const auto& [number, session] : sessions_) {
    if (!session->attached() || session->draining() || session->keeps_only()) continue;
    // A call that wants little is no reason to keep little for those that follow.
    bytes += session->unary() ? FetchRequest::kMostBytes : session->credit().bytes;
  }
  if (bytes == 0) return {0, 0};
  const int64_t max_ack_pending = intake_.info().max_ack_pending;
  const uint64_t window = max_ack_pending > 0 ? max_ack_pending : kUnlimitedWindow;
  const uint64_t share = options_.waiting_share;
  return {static_cast<uint32_t>(std::max<uint64_t>(window * share / 100, 1)), bytes * share / 100};
}

// What is beyond the limit and could not be given back makes for smaller pulls, but not for none: what the lanes wait
// for may only come with one.
void Consumer::CountLanes(Demand* demand) const {
  if (demand->messages == 0) return;
  demand->redelivery = lanes_->awaits_absent();
  const Credit limit = WaitingLimit();
  const uint64_t messages = lanes_->waiting() - std::min<uint64_t>(lanes_->waiting(), limit.messages);
  const uint64_t bytes = lanes_->waiting_bytes() - std::min(lanes_->waiting_bytes(), limit.bytes);
  demand->messages = std::max<uint64_t>(demand->messages - std::min(demand->messages, messages), 1);
  demand->bytes = std::max<uint64_t>(demand->bytes - std::min(demand->bytes, bytes), 1);
}

void Consumer::GiveBackLatest() {
  lanes_->OnCaughtUp(lanes_->caught_up());
  StartLanes();  // so that what waits does so for another
  const Credit limit = WaitingLimit();
  if (drain_.active() || limit.messages == 0) return;  // without an app it all goes back in time
  std::vector<Delivery*> latest;
  while (lanes_->waiting() > limit.messages || (lanes_->waiting_bytes() > limit.bytes && lanes_->waiting() > 1)) {
    Delivery* delivery = lanes_->LatestOfTheLongest(intake_.info().max_deliver);
    if (delivery == nullptr) break;
    Unlink(delivery);
    latest.push_back(delivery);
  }
  std::sort(latest.begin(), latest.end(), Ascending);
  for (Delivery* delivery : latest) {
    // BackOff prolongs a delayed NAK by so much (a habit of the server's).
    const absl::Duration more = std::max(delivery->ack_wait - intake_.info().ack_wait, absl::ZeroDuration());
    const absl::Duration wait = CapDelay(*delivery, lanes_->ReturnDelay(*delivery));
    const absl::Duration delay = std::max(wait - more, absl::Milliseconds(1));
    lanes_->LeaveAbsent(delivery, timers_->now() + delay + more);
    ++counters_.released;
    outbox_.Send(*delivery, {Verdict::kNak, delay, {}, NakAs()});
    Remove(delivery);
  }
}

}  // namespace sluice::core
