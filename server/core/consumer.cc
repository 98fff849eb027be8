#include "core/consumer.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "core/trace_context.h"

namespace sluice::core {

Consumer::Consumer(base::Timers* timers, const ConsumerOptions& options, std::unique_ptr<MessageSource> source,
                   Owner* owner, std::unique_ptr<DeadLetterSink> sink, const TokenCodec* tokens)
    : timers_(timers),
      options_(options),
      source_(std::move(source)),
      owner_(owner),
      in_flight_(options.seed),
      leases_(timers, this, options.lease_max),
      outbox_(timers, source_.get(), this, options.seed),
      redelivery_(timers, options.redelivery, options.seed),
      dead_letters_(timers, options_, std::move(sink), this),
      dispatcher_(timers),
      health_(
          timers, options.app_health, [this] { OnHealthChanged(); }, [this] { Pump(); }),
      ready_timer_(timers),
      unary_(this, timers),
      tokens_(tokens),
      drain_(timers, options.name),
      drain_timer_(timers),
      intake_(timers, options_, source_.get(), this) {
  sealing_.stream = options_.stream;
  sealing_.durable = options_.durable;
  Lanes::Owner* const self = this;  // a private base
  if (options_.ordering == Ordering::kKey) lanes_ = std::make_unique<Lanes>(timers, self, options_.key);
  if (options_.ordering == Ordering::kExclusive) {
    lanes_ = std::make_unique<Lanes>(timers, self, options_.key, Lanes::Redeliveries::kInAnyOrder);
    Pin::Owner* const owner_of_pin = this;
    pin_ = std::make_unique<Pin>(timers, options_, owner_of_pin);
    intake_.SetPin(pin_.get());
    if (options_.ack_all) floor_ = std::make_unique<AckFloor>(options_.max_unacked);
  }
  dead_letters_.Start();
  intake_.Start();
}

Consumer::~Consumer() = default;

Counters Consumer::counters() const {
  Counters counters = counters_;
  counters.pulls = intake_.pulls();
  return counters;
}

Consumer::Gauges Consumer::gauges() const {
  Gauges gauges;
  uint64_t with_sessions = 0;
  for (const auto& [number, session] : sessions_) {
    gauges.streams += session->attached() && !session->unary();
    with_sessions += session->held_count();
  }
  gauges.in_flight = held_;
  gauges.buffered = in_flight_.size() - with_sessions - dead_letters_.held() - finished_count_;
  gauges.num_pending = intake_.backlog().num_pending;
  gauges.num_ack_pending = intake_.backlog().num_ack_pending;
  return gauges;
}

// What the app does not name was lost on its way to it.
void Consumer::TakeBackLost(Session* predecessor) {
  if (drain_.active()) {
    GiveBack(predecessor->Held());
  } else {
    TakeBack(predecessor->Held());
  }
  TakeBack(predecessor->Queued());
}

// --- messages come ---

Demand Consumer::GetDemand() {
  if (drain_.active() || in_flight_.size() + OpenRequest::kMaxBatch > InFlight::kMaxSize) return Demand();
  if (pin_ != nullptr && pin_->gathering()) return GatherDemand();
  if (pin_ != nullptr && pin_->leaving()) return Demand();
  Demand demand = dispatcher_.GetDemand();
  if (lanes_ != nullptr) CountLanes(&demand);
  if (health_.probing()) demand.messages = std::min<uint64_t>(demand.messages, health_.may_probe() ? 1 : 0);
  return demand;
}

void Consumer::OnArrivals(absl::Span<Message> batch) {
  // It may have lain in the socket for long, if this process was stopped.
  const absl::Time sent = pin_ == nullptr ? timers_->now() : std::max(pin_->SentAfter(), intake_.pull_opened());
  for (Message& message : batch) {
    counters_.redelivered += message.num_delivered > 1;
    const bool is_done = floor_ != nullptr && !floor_->Add(message);
    if (!adopted_.empty() && Merge(message, sent)) continue;
    Delivery* delivery = in_flight_.Add(std::move(message));
    delivery->received = timers_->now();
    delivery->consumer_created_ns = intake_.info().created_ns;
    delivery->ack_wait = intake_.info().AckWait(delivery->message.num_delivered);
    leases_.Add(delivery, sent);
    if (is_done) {
      KeepFinished(delivery);
    } else if (lanes_ != nullptr) {
      AddToLane(delivery);
    } else if (IsPastMaxDeliveries(*delivery)) {
      Bury(delivery, DeadLetterReason::kMaxDeliveries);
    } else {
      dispatcher_.Add(delivery);
    }
  }
  counters_.received += batch.size();
  if (lanes_ != nullptr && MayHandOut()) GiveBackLatest();
  Pump();
}

void Consumer::OnPullEnded() {
  FlushReleases();
  ArmReadyTimer();
  if (lanes_ == nullptr) return;
  if (pin_ != nullptr) {
    pin_->OnPullEnded(intake_.caught_up());
  } else {
    lanes_->OnCaughtUp(intake_.caught_up());
  }
  Pump();
}

void Consumer::Pump() {
  AckFinished();
  if (pin_ != nullptr) pin_->Reconsider();
  if (MayHandOut()) {
    if (lanes_ != nullptr) StartLanes();
    HandOut();
  }
  intake_.MaybePull();
  ArmReadyTimer();
  CheckSettled();
}

// What no app has seen yet waits for the probes, or goes to another pod in time.
void Consumer::OnHealthChanged() {
  if (health_.probing() && !drain_.active()) {
    for (const auto& [number, session] : sessions_) TakeBack(session->Queued());
  }
  TellState();
}

void Consumer::HandOut() {
  if (!health_.probing()) return dispatcher_.Run();
  if (!health_.may_probe()) return;
  if (const Delivery* probe = dispatcher_.RunOne()) health_.BeginProbe(probe);
}

void Consumer::OnGiven(uint64_t count) {
  held_ += count;
  counters_.delivered += count;
}

// --- verdicts go ---

bool Consumer::Settle(Delivery* delivery, const Settlement& settlement) {
  if (delivery->state == Delivery::State::kHeld && timers_->now() >= delivery->ack_deadline) {
    leases_.Remove(delivery);
    OnLeasesEnded({&delivery, 1});
  }
  const bool harmless = settlement.verdict == Verdict::kAck || settlement.verdict == Verdict::kInProgress;
  const bool doubtful = delivery->in_doubt && !harmless;
  const bool late = delivery->state == Delivery::State::kExpired || doubtful;
  if (settlement.verdict == Verdict::kInProgress) {
    if (!late) leases_.Restart(delivery);
    return !late;
  }
  if (delivery->given != absl::InfiniteFuture()) process_duration_.Observe(timers_->now() - delivery->given);
  Session* session = delivery->session;
  if (late) {
    // An ACK still spares everyone a duplicate; a NAK or TERM would take the message from its next holder.
    ++counters_.late;
    Tally(session, &DrainReport::late);
    if (delivery->state == Delivery::State::kHeld) Tally(session, &DrainReport::expired);
    if (settlement.verdict == Verdict::kAck) {
      PassOnAck(*delivery);
    } else if (delivery->lane != nullptr) {
      lanes_->LeaveAbsent(delivery, delivery->ack_deadline);  // in doubt: it comes again, if nobody else has it
    }
    Remove(delivery);
    return false;
  }
  const std::optional<DeadLetterReason> dies = ReasonAfter(*delivery, settlement.verdict);
  // What becomes of a dead letter is told by the drain's report when it is known.
  const auto tally = [&](uint64_t DrainReport::*count) {
    if (!dies) return Tally(session, count);
    if (session->draining()) ++(session->drain_report().*count);
  };
  switch (settlement.verdict) {
    case Verdict::kAck:
      health_.OnSuccess();
      ++counters_.acked;
      DropUnseenTwins(*delivery);
      tally(&DrainReport::acked);
      break;
    case Verdict::kTerm:
      ++counters_.terminated;
      tally(&DrainReport::terminated);
      break;
    case Verdict::kNak:
    case Verdict::kInProgress:
      health_.OnFailure();
      ++counters_.naked;
      tally(&DrainReport::naked);
      break;
  }
  const uint64_t claimant = session->confirms() ? session->number() : 0;
  NoteVerdict(*delivery, settlement.verdict);
  if (dies) {
    delivery->claimant = claimant;
    Bury(delivery, *dies, settlement.term_reason);
  } else if (settlement.verdict == Verdict::kNak || LacksItsLetter(*delivery, settlement.verdict)) {
    delivery->claimant = claimant;
    OnFailed(delivery, settlement.nak_delay);
  } else {
    Finish(delivery, settlement, {claimant, delivery->id});
  }
  return true;
}

void Consumer::ForwardAck(const GoneDelivery& gone, Outbox::Claim claim) {
  Delivery acked;
  acked.message.reply = gone.reply;
  acked.message.stream_sequence = gone.stream_sequence;
  acked.key = gone.key;
  acked.consumer_created_ns = gone.consumer_created_ns;
  acked.ack_deadline = absl::InfinitePast();
  PassOnAck(acked, claim);
}

void Consumer::ForwardLateAck(uint64_t id, const GoneDelivery& gone) {
  ++counters_.late;
  Tally(nullptr, &DrainReport::late);
  Delivery* releasing = Find(id);
  if (releasing == nullptr) return ForwardAck(gone, {});
  DropUnseenTwins(*releasing);
  Finish(releasing, {}, {});  // in place of its NAK
}

void Consumer::OnResults(uint64_t session, SettleOutcome outcome, std::vector<uint64_t> ids, std::string detail) {
  auto it = sessions_.find(session);
  if (it == sessions_.end() || ids.empty()) return;
  SettleResultsNotice notice;
  notice.results.push_back({outcome, std::move(ids), std::move(detail)});
  it->second->Tell(std::move(notice));
}

bool Consumer::IsLastAttempt(const Delivery& delivery) const {
  const int64_t max_deliver = intake_.info().max_deliver;
  return max_deliver > 0 && delivery.message.num_delivered >= static_cast<uint64_t>(max_deliver);
}

// Out of whichever list it is in, and away from its session; it stays leased. Where it goes next is the caller's to
// say.
void Consumer::Unlink(Delivery* delivery) {
  held_ -= delivery->state == Delivery::State::kHeld;
  finished_count_ -= delivery->state == Delivery::State::kFinished;
  if (delivery->session != nullptr) {
    health_.OnLeft(delivery);
    delivery->session->Drop(delivery);
  } else if (delivery->state == Delivery::State::kReady && delivery->place.linked()) {
    dispatcher_.Remove(delivery);
  } else if (delivery->state == Delivery::State::kWaiting) {
    lanes_->Unlink(delivery);
  } else if (delivery->state == Delivery::State::kDeadLetter) {
    dead_letters_.Remove(delivery);
  } else {
    DeliveryList::Remove(delivery);
  }
  delivery->state = Delivery::State::kReleasing;
}

void Consumer::Remove(Delivery* delivery) {
  if (delivery->state == Delivery::State::kFinished) floor_->Forsake(*delivery);
  Unlink(delivery);
  leases_.Remove(delivery);
  if (delivery->lane != nullptr) lanes_->Leave(delivery);
  if (delivery->foreign) adopted_.erase(delivery->stream_sequence());
  in_flight_.Remove(delivery);
}

void Consumer::Tally(Session* session, uint64_t DrainReport::*count) {
  if (drain_.active()) ++(drain_.report().*count);
  if (session != nullptr && session->draining()) ++(session->drain_report().*count);
}

// --- leases ---

bool Consumer::ExtendLease(const Delivery& delivery) {
  if (!outbox_.connected()) return false;
  source_->Settle(delivery.message.reply, {Verdict::kInProgress, absl::ZeroDuration(), {}});
  ++counters_.leases_extended;
  return true;
}

void Consumer::OnLeasesEnded(absl::Span<Delivery* const> deliveries) {
  counters_.leases_ended += deliveries.size();
  std::map<uint64_t, std::vector<uint64_t>> ids_by_session;
  for (Delivery* delivery : deliveries) {
    if (delivery->lane != nullptr) LoseFromLane(delivery);
    if (delivery->foreign) adopted_.erase(delivery->stream_sequence());
    if (delivery->state == Delivery::State::kHeld) {
      --held_;
      health_.OnLeft(delivery);
      delivery->state = Delivery::State::kExpired;
      ids_by_session[delivery->session->number()].push_back(delivery->id);
      Tally(delivery->session, &DrainReport::expired);
    } else {
      // No app has it: its next attempt is as good.
      const bool was_dead = delivery->state == Delivery::State::kDeadLetter;
      if (was_dead) Tally(nullptr, &DrainReport::expired);
      if (was_dead && delivery->claimant != 0) {
        OnResults(delivery->claimant, SettleOutcome::kFailed, {delivery->id}, kAckWaitOverUnstored);
      } else if (delivery->claimant != 0) {  // NAKed, which waited for the open pull to end
        OnResults(delivery->claimant, SettleOutcome::kLate, {delivery->id}, kAckWaitOver);
      }
      Remove(delivery);
    }
  }
  for (auto& [number, ids] : ids_by_session) {
    const Message& first = Find(ids.front())->message;
    base::LogWarning("leases ended: messages were held too long, JetStream delivers them again",
                     WithTrace({{"stream", options_.stream},
                                {"consumer", options_.name},
                                {"count", ids.size()},
                                {"stream_seq", first.stream_sequence}},
                               first));
    Session* session = sessions_.at(number).get();
    session->Tell(LeasesEndedNotice{std::move(ids)});
    health_.OnFailure();
    session->CheckDrained();
  }
  Pump();
}

// --- the connection ---

void Consumer::OnConnection(bool connected) {
  if (floor_ != nullptr) floor_->Doubt();  // of what the server sent last
  outbox_.OnConnection(connected);
  if (connected) leases_.ExtendAll();
}

void Consumer::OnStateChanged(ConsumerState state, const std::string& detail) {
  upstream_ = {state, detail};
  TellState();
  if (intake_.info_known()) AdmitWaiting();
}

// Unless something else is in the way, another pod may be the active one, the apps themselves may be the trouble, or
// the dead letters' stream.
void Consumer::TellState() {
  StateNotice now = upstream_;
  const bool serving = now.state == ConsumerState::kServing;
  if (serving && pin_ != nullptr && pin_->pinned_elsewhere()) {
    now = {ConsumerState::kPinnedElsewhere, pin_->Detail()};
  } else if (serving && health_.probing()) {
    now = {ConsumerState::kProbing, "the apps failed too often in a row: one message at a time until one is acked"};
  } else if (serving) {
    if (now.detail.empty() && pin_ != nullptr) now.detail = pin_->Detail();
    if (now.detail.empty()) now.detail = dead_letters_.trouble();
  }
  if (now == told_) return;
  told_ = now;
  const bool is_well = now.state == ConsumerState::kServing || now.state == ConsumerState::kPinnedElsewhere;
  base::Log(is_well ? base::Severity::kInfo : base::Severity::kWarning, "consumer state",
            {{"consumer", options_.name}, {"state", ConsumerStateName(now.state)}, {"detail", now.detail}});
  for (const auto& [number, session] : sessions_) {
    if (session->opened()) session->Tell(now);
  }
}

}  // namespace sluice::core
