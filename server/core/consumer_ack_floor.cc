// With ack_policy: all: what apps have settled is FINISHED until all before it is, and is acked then; see ack_floor.h.
// It stays leased meanwhile, without its content. A message that is not finished holds up the ACKs of all behind it, so
// no more than max_unacked are given to apps from it on: that is what a crash repeats.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "core/consumer.h"

namespace sluice::core {
namespace {

constexpr char kAnotherPod[] =
    "another pod is the active one, or the durable was made anew: it is not for this daemon to ack (ack_policy: all)";
constexpr char kMadeAnew[] = "the durable was made anew before all before it was finished (ack_policy: all)";
constexpr char kUnfinishedBefore[] =
    "one before it was not finished, and an ack would have settled that as well (ack_policy: all): it goes back to "
    "NATS, and is delivered again";

// All that is needed of a finished message.
struct Kept {
  std::string reply;
};

void LetGoOfContent(Message& message) {
  auto kept = std::make_unique<Kept>(Kept{std::string(message.reply)});
  message.subject = message.data = message.pin_id = absl::string_view();
  message.headers = {};
  message.reply = kept->reply;
  message.owner = {kept.release(), [](void* owner) { delete static_cast<Kept*>(owner); }};
}

}  // namespace

// --- apps finish messages ---

void Consumer::Finish(Delivery* delivery, const Settlement& settlement, Outbox::Claim claim) {
  if (floor_ == nullptr) {
    outbox_.Send(*delivery, settlement, claim);
    return Remove(delivery);
  }
  if (delivery->in_doubt) {
    // If another pod has it, that one says so; else JetStream delivers it again, and no app sees it then.
    PassOnAck(*delivery, claim);
    return Remove(delivery);
  }
  const AckFloor::Finishing finishing = floor_->Finish(delivery, settlement, claim);
  if (finishing == AckFloor::Finishing::kSettled) outbox_.Confirm(claim);
  if (finishing != AckFloor::Finishing::kKept) return Remove(delivery);
  Unlink(delivery);
  if (delivery->lane != nullptr) lanes_->Leave(delivery);
  if (delivery->foreign) adopted_.erase(delivery->stream_sequence());
  delivery->state = Delivery::State::kFinished;
  ++finished_count_;
  finishing_.PushBack(delivery);
}

// On what is not held any more, so that it may be with another pod. An ACK that comes in its turn is harmless there.
void Consumer::PassOnAck(const Delivery& acked, Outbox::Claim claim) {
  if (floor_ == nullptr) {
    DropUnseenTwins(acked);
    return outbox_.Send(acked, {}, claim);
  }
  const bool made_anew = acked.consumer_created_ns != intake_.info().created_ns;
  if (pin_->id().empty() || made_anew) {
    if (claim.session != 0) OnResults(claim.session, SettleOutcome::kFailed, {claim.id}, kAnotherPod);
    return;
  }
  if (!floor_->FinishGone(acked, claim)) outbox_.Confirm(claim);
  DropUnseenTwins(acked);
}

bool Consumer::IsDone(const Delivery& delivery) const {
  return floor_ != nullptr && floor_->IsDone(delivery.stream_sequence());
}

uint64_t Consumer::MayStartUpTo() const {
  if (floor_ == nullptr || GivesBack() || drain_.active()) return UINT64_MAX;
  return floor_->may_start_up_to();
}

// An app has finished it before it came again.
void Consumer::KeepFinished(Delivery* delivery) {
  if (Delivery* stale = floor_->Keep(delivery)) Remove(stale);
  delivery->state = Delivery::State::kFinished;
  ++finished_count_;
  finishing_.PushBack(delivery);
}

// --- and JetStream hears of them ---

// At the end of every event, so that what one request settles is one run.
void Consumer::AckFinished() {
  if (floor_ == nullptr) return;
  // Who has lost the pin acks what it has, but not what its successor may have: the server would take that one's ACKs
  // for old then, and yet answer them.
  const bool held_only = pin_->id().empty();
  while (std::optional<AckFloor::Run> run = floor_->TakeRun(options_.coalesce_acks, held_only)) {
    Settlement settlement;
    settlement.verdict = run->terminates ? Verdict::kTerm : Verdict::kAck;
    settlement.term_reason = run->term_reason;
    settlement.as_consumer_sequence = run->consumer_sequence;
    outbox_.SendRun(run->reply, settlement, run->claims);
    for (Delivery* delivery : run->deliveries) Remove(delivery);
  }
  HoldFinished();
  WatchTheFloor();
  if (GivesBack() && !WillBeAcked()) GiveBackFinished();
}

// What could not be acked at once stays until it can.
void Consumer::HoldFinished() {
  while (Delivery* delivery = finishing_.PopFront()) {
    leases_.Hold(delivery);
    LetGoOfContent(delivery->message);
    delivery->key = absl::string_view();
    finished_.PushBack(delivery);
  }
}

// Whether this daemon has what holds up the others, so that an app here may still finish it.
bool Consumer::WillBeAcked() const {
  if (finished_.empty()) return true;
  const uint64_t first = floor_->blocked_by();
  bool is_here = false;
  const_cast<InFlight&>(in_flight_).ForEach([&](const Delivery& delivery) {
    const bool with_app = delivery.state == Delivery::State::kHeld || delivery.state == Delivery::State::kDeadLetter;
    is_here |= with_app && delivery.stream_sequence() == first;
  });
  return is_here;
}

// Something that was lost, or that the stream has dropped, would hold up all others for ever: what is outstanding is
// gathered anew, and counted.
void Consumer::WatchTheFloor() {
  const uint64_t blocked_by = floor_->blocked_by();
  const absl::Time now = timers_->now();
  if (blocked_by != std::exchange(blocked_by_, blocked_by)) blocked_since_ = now;
  const absl::Duration patience = 2 * intake_.info().AckWait(1000) + absl::Seconds(1);
  bool gathers = floor_->TakeSuspicion();
  if (!gathers && !finished_.empty() && now - blocked_since_ > patience) {
    blocked_since_ = now;
    gathers = !WillBeAcked();
  }
  if (gathers) pin_->GatherAgain();
}

// What is finished cannot be acked without settling what is not: it is done again.
void Consumer::GiveBackFinished() {
  if (floor_ == nullptr || finished_.empty()) return;
  std::vector<Delivery*> finished;
  while (Delivery* delivery = finished_.PopFront()) finished.push_back(delivery);
  std::sort(finished.begin(), finished.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  base::LogWarning("finished messages go back, as one before them is not finished (ack_policy: all)",
                   {{"consumer", options_.name}, {"count", finished.size()}, {"behind", floor_->blocked_by()}});
  for (Delivery* delivery : finished) {
    ++counters_.released;
    // In doubt, a NAK could take it from its next holder. On its last delivery it would have it given up at once; so
    // will the end of its ack wait.
    const bool naks = timers_->now() < delivery->ack_deadline && !delivery->in_doubt && !IsLastAttempt(*delivery);
    if (naks && delivery->foreign) NoteNaked(*delivery);
    if (naks) outbox_.Send(*delivery, {Verdict::kNak, absl::ZeroDuration(), {}, NakAs()});
    for (const Outbox::Claim& claim : floor_->Reopen(*delivery)) {
      OnResults(claim.session, SettleOutcome::kFailed, {claim.id}, kUnfinishedBefore);
    }
    Remove(delivery);
  }
}

// --- what the server says ---

void Consumer::OnServerInfo(const ConsumerInfo& info) {
  if (floor_ == nullptr) return;
  delivered_ = info.delivered_consumer_sequence;
  if (info.created_ns != std::exchange(floor_of_ns_, info.created_ns)) {
    for (const Outbox::Claim& claim : floor_->Reset()) {
      OnResults(claim.session, SettleOutcome::kFailed, {claim.id}, kMadeAnew);
    }
    for (DeliveryList* list : {&finishing_, &finished_}) {
      while (Delivery* delivery = list->front()) Remove(delivery);
    }
  }
  RemoveFinished(floor_->OnServerFloor(info.ack_floor, info.ack_floor_consumer_sequence));
  std::vector<Delivery*> settled;  // by another pod, and no app here has them
  in_flight_.ForEach([&](Delivery& delivery) {
    using State = Delivery::State;
    const bool unseen =
        delivery.state == State::kWaiting || delivery.state == State::kReady || delivery.state == State::kQueued;
    const bool same = delivery.consumer_created_ns == info.created_ns;
    if (unseen && same && delivery.stream_sequence() <= info.ack_floor) settled.push_back(&delivery);
  });
  for (Delivery* delivery : settled) Remove(delivery);
}

// The drain is over.
void Consumer::FailUnacked() {
  if (floor_ == nullptr) return;
  for (const Outbox::Claim& claim : floor_->Reset()) {
    OnResults(claim.session, SettleOutcome::kFailed, {claim.id}, kNotConfirmedInDrain);
  }
}

void Consumer::RemoveFinished(const AckFloor::Run& settled) {
  for (Delivery* delivery : settled.deliveries) Remove(delivery);
  for (const Outbox::Claim& claim : settled.claims) outbox_.Confirm(claim);
}

void Consumer::OnAllHere() {
  if (floor_ == nullptr) return;
  std::vector<uint64_t> outstanding;
  uint64_t least = delivered_ + 1;  // consumer sequence; the server's floor is below it, whatever CONSUMER.INFO says
  in_flight_.ForEach([&](const Delivery& delivery) {
    const bool leased = delivery.state != Delivery::State::kExpired && timers_->now() < delivery.ack_deadline;
    const bool ours = leased && !delivery.in_doubt;  // as CountHere() has it
    if (!ours || floor_->IsSettled(delivery.stream_sequence())) return;
    outstanding.push_back(delivery.stream_sequence());
    least = std::min(least, delivery.message.consumer_sequence);
  });
  floor_->OnServerFloor(0, least - 1);
  std::sort(outstanding.begin(), outstanding.end());
  outstanding.erase(std::unique(outstanding.begin(), outstanding.end()), outstanding.end());
  for (const Outbox::Claim& claim : floor_->OnAllHere(outstanding, delivered_)) {
    outbox_.Confirm(claim);
  }
}

}  // namespace sluice::core
