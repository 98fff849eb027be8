#include "core/intake.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "core/pin.h"

namespace sluice::core {
namespace {

// What a busy server or network may add before it counts as silence.
constexpr absl::Duration kSlack = absl::Milliseconds(500);
// The same before a pull of which nothing was heard counts as ended in a drain: too early strands what the server still
// sends (seen once, with the processors at their limit).
constexpr absl::Duration kDrainSlack = absl::Seconds(2);

// What a slow app frees is asked for this late at most: nothing beside the time that its work takes.
constexpr absl::Duration kRefillAfter = absl::Milliseconds(1);

constexpr char kPinless[] =
    "messages come without a pin: the consumer no longer has priority_policy pinned_client, which ordering: exclusive "
    "needs";

constexpr absl::Duration kFirstAttachRetry = absl::Milliseconds(100);
constexpr absl::Duration kMostAttachRetry = absl::Seconds(5);
constexpr absl::Duration kFirstPullRetry = absl::Milliseconds(20);
constexpr absl::Duration kMostPullRetry = absl::Seconds(5);

}  // namespace

Intake::Intake(base::Timers* timers, const ConsumerOptions& options, MessageSource* source, Owner* owner)
    : timers_(timers),
      options_(options),
      source_(source),
      owner_(owner),
      window_(options),
      refill_(timers),
      retry_(timers),
      look_(timers),
      pause_(timers),
      silence_(timers),
      attach_backoff_(kFirstAttachRetry, kMostAttachRetry, options.seed),
      pull_backoff_(kFirstPullRetry, kMostPullRetry, options.seed + 1) {}

// --- the connection, and attaching to the durable ---

void Intake::OnConnection(bool connected) {
  connected_ = connected;
  if (connected) {
    owner_->OnConnection(true);
    if (!closing()) Attach();
    return;
  }
  if (!closing()) {
    retry_.Cancel();
    state_ = State::kOffline;
    Tell(ConsumerState::kNatsDown, "not connected to NATS; reconnecting");
  }
  owner_->OnConnection(false);
  lost_pull_end_ = absl::InfinitePast();  // the server forgets pulls with the connection
  if (window_.is_open() || state_ == State::kQuiescing) OnPullOver();
}

void Intake::Attach() {
  if (attach_running_) return;  // its answer decides
  state_ = State::kAttaching;
  attach_running_ = true;
  source_->Attach();
}

void Intake::AttachLater(ConsumerState told, const std::string& detail) {
  Tell(told, detail);
  state_ = State::kWaiting;
  retry_.SetAfter(attach_backoff_.Next(), [this] { Attach(); });
}

void Intake::OnAttached(const absl::StatusOr<ConsumerInfo>& info) {
  attach_running_ = false;
  if (closing()) return;
  if (!connected_) {
    state_ = State::kOffline;
    return;
  }
  if (!info.ok()) {
    // No answer says nothing of a consumer that was well before.
    ConsumerState tell = told_ == ConsumerState::kServing ? told_ : ConsumerState::kConsumerMissing;
    if (absl::IsNotFound(info.status())) tell = ConsumerState::kConsumerMissing;
    if (absl::IsFailedPrecondition(info.status())) tell = ConsumerState::kConsumerInvalid;
    AttachLater(tell, std::string(info.status().message()));
    return;
  }
  // A 2.9 server deletes without a word.
  const bool was_deleted = info->created && info_known_ && told_ == ConsumerState::kServing;
  if (was_deleted) Tell(ConsumerState::kConsumerMissing, "the consumer was deleted; it has been made anew");
  SetInfo(*info);
  attach_backoff_.Reset();
  state_ = State::kReady;
  if (pin_ != nullptr) pin_->OnAttached(info_);
  TellServing();
  MaybePull();
}

void Intake::SetInfo(const ConsumerInfo& info) {
  info_ = info;
  info_known_ = true;
  backlog_ = {info.num_pending, info.num_ack_pending};
  LookLater();
  if (pin_ != nullptr && info_.priority_timeout > absl::ZeroDuration()) {
    // The pin lasts for so long after a pull has come: the next one must come in time.
    absl::Duration& most = info_.max_request_expires;
    const absl::Duration half = info_.priority_timeout / 2;
    most = most > absl::ZeroDuration() ? std::min(most, half) : half;
  }
  window_.SetLimits(info_);
}

// Where nobody takes messages, nothing else tells how many wait. A Pin asks for itself.
void Intake::LookLater() {
  if (pin_ != nullptr) return;
  look_.SetAfter(kLookEvery, [this] {
    if (closing()) return;
    if (ready() && infos_ == 0) RequestInfo();
    LookLater();
  });
}

// --- pulls ---

void Intake::MaybePull() {
  if (!MayPull()) return;
  const Demand demand = owner_->GetDemand();
  if (window_.WorthAPull(demand, owner_->InFlightCount())) {
    OpenPull(demand);
  } else if (demand.messages > 0 && !refill_.pending()) {
    refill_.SetAfter(kRefillAfter, [this] {
      if (MayPull()) OpenPull(owner_->GetDemand());
    });
  }
}

void Intake::OpenPull(const Demand& demand) {
  auto request = window_.Open(demand, owner_->InFlightCount());
  if (!request) return;
  if (pin_ != nullptr) request->pin_id = pin_->id();
  refill_.Cancel();
  ++pulls_;
  pull_opened_ = timers_->now();
  pull_end_ = timers_->now() + request->expires + kSlack;
  source_->Pull(*request);
  WatchPull();
}

void Intake::OnMessages(absl::Span<Message> batch) {
  pull_backoff_.Reset();
  backlog_.num_pending = batch.back().num_pending;
  const bool fulfilled = window_.OnMessages(batch.size());
  if (batch.back().num_delivered == 1) caught_up_ = pull_opened_;
  const bool pinless = pin_ != nullptr && batch.back().pin_id.empty();
  handing_over_ = fulfilled;
  if (pin_ != nullptr) pin_->OnMessages(batch);
  owner_->OnArrivals(batch);
  handing_over_ = false;
  if (pinless && state_ == State::kReady) AttachLater(ConsumerState::kConsumerInvalid, kPinless);
  if (!fulfilled) return;
  EndPull();
  GoOn();
}

void Intake::OnPullStatus(const PullStatus& status) {
  using Kind = PullStatus::Kind;
  if (Pin::IsRenewal(status.pull_id)) {
    if (pin_ != nullptr) pin_->OnRenewalEnded(status);
    return;
  }
  if (status.kind == Kind::kHeartbeat) {
    if (status.pull_id == window_.open_id() && window_.is_open()) WatchPull();
    return;
  }
  // Of an earlier pull, which has ended for us already; only the loss of the consumer concerns the present as well.
  const bool stale = status.pull_id != window_.open_id() || !window_.is_open();
  if (stale && status.kind != Kind::kConsumerDeleted) return;
  if (status.kind != Kind::kExpired && status.kind != Kind::kMessageTooLarge && status.kind != Kind::kWrongPin) {
    base::LogWarning("the server ended a pull", {{"consumer", options_.name}, {"status", status.description}});
  }
  switch (status.kind) {
    case Kind::kHeartbeat:
      break;
    case Kind::kExpired:
      if (!stale && status.unsent.value_or(1) > 0) caught_up_ = pull_opened_;
      break;
    case Kind::kMessageTooLarge:
      window_.OnMessageTooLarge();
      break;
    case Kind::kConsumerDeleted:
      // Not at once: a server that is still at it fails the deletion if the consumer is made anew meanwhile.
      if (!closing()) AttachLater(ConsumerState::kConsumerMissing, "the consumer was deleted");
      break;
    case Kind::kNoResponders:
    case Kind::kPushBased:
      if (!closing()) Attach();
      break;
    case Kind::kWrongPin:
      if (pin_ != nullptr) pin_->OnWrongPin();
      break;
    case Kind::kBadRequest:
      // The consumer may have been changed, so that it has no such group any more.
      if (pin_ != nullptr && !closing()) {
        AttachLater(ConsumerState::kConsumerInvalid, "the server refuses the pull: " + status.description);
      } else {
        PullLater();
      }
      break;
    case Kind::kLeadershipChange:
      if (pin_ != nullptr) pin_->OnNewLeader();
      PullLater();
      break;
    case Kind::kLimitExceeded:
    case Kind::kServerShutdown:
    case Kind::kUnknown:
      PullLater();
      break;
  }
  if (stale || window_.OnEnded(status.unsent)) {
    OnPullOver();
  } else {
    ExpectTheRest();
  }
}

// Bounded, as a new leader does not send what the old one had under way.
void Intake::ExpectTheRest() {
  pull_end_ = timers_->now() + kSlack;
  WatchPull();
}

void Intake::PullLater() {
  if (state_ == State::kReady) retry_.SetAfter(pull_backoff_.Next(), [this] { MaybePull(); });
}

// The open pull was ended by the server, or is lost.
void Intake::OnPullOver() {
  window_.Close();
  EndPull();
  GoOn();
}

void Intake::EndPull() {
  silence_.Cancel();
  window_.SetPace(timers_->now() - pull_opened_);
  if (state_ != State::kQuiescing) owner_->OnPullEnded();
}

void Intake::GoOn() {
  if (state_ == State::kQuiescing) {
    CloseWhenQuiet();
  } else {
    MaybePull();
  }
}

// A pull that the server knows is heard of: by messages, a heartbeat or its end. Silence means that the consumer is
// gone (a 2.9 server says nothing then) or that the request was lost; Attach() tells which. While draining, only the
// certain end counts.
void Intake::WatchPull() {
  const absl::Duration heartbeat = window_.heartbeat();
  const absl::Time heard_by = heartbeat > absl::ZeroDuration() ? timers_->now() + 2 * heartbeat + kSlack : pull_end_;
  const absl::Time due = state_ == State::kQuiescing ? pull_end_ + kDrainSlack : std::min(pull_end_, heard_by);
  silence_.SetAt(due, [this] {
    base::LogWarning("no word of a pull", {{"consumer", options_.name}});
    lost_pull_end_ = std::max(lost_pull_end_, pull_end_);
    if (!closing()) Attach();
    OnPullOver();
  });
}

// --- closing ---

void Intake::Close(absl::AnyInvocable<void()> quiesced, absl::AnyInvocable<void()> fenced) {
  quiesced_ = std::move(quiesced);
  fenced_ = std::move(fenced);
  retry_.Cancel();
  look_.Cancel();
  pause_.Cancel();
  state_ = State::kQuiescing;
  if (window_.is_open()) {
    WatchPull();
  } else {
    CloseWhenQuiet();
  }
}

// Unsubscribes, but not while the server may still answer a pull that was given up.
void Intake::CloseWhenQuiet() {
  if (timers_->now() < lost_pull_end_) {
    silence_.SetAt(lost_pull_end_, [this] { CloseWhenQuiet(); });
    return;
  }
  silence_.Cancel();
  state_ = State::kClosing;
  quiesced_();
  source_->CloseIntake();
}

void Intake::OnIntakeClosed() {
  if (state_ != State::kClosing) return;
  state_ = State::kFencing;
  if (connected_ && info_known_) {
    RequestInfo();
  } else {
    FinishClose();
  }
}

void Intake::RequestInfo() {
  ++infos_;
  source_->RequestInfo();
}

void Intake::OnInfo(const absl::StatusOr<ConsumerInfo>& info) {
  --infos_;
  if (info.ok()) {
    backlog_ = {info->num_pending, info->num_ack_pending};
    if (info->paused_until != std::exchange(info_.paused_until, info->paused_until) && ready()) TellServing();
  }
  if (pin_ != nullptr) pin_->OnInfo(info);
  if (!closing()) return;
  if (infos_ > 0) return;  // asked before the end of the subscription
  if (!info.ok()) {
    base::LogWarning("no consumer info at the fence", {{"consumer", options_.name}, {"err", info.status().message()}});
  }
  if (state_ == State::kFencing) FinishClose();
}

void Intake::OnUnpinned(const absl::Status& status) {
  if (pin_ != nullptr) pin_->OnUnpinned(status);
}

void Intake::FinishClose() {
  state_ = State::kClosed;
  fenced_();
}

// --- what apps are told ---

void Intake::Tell(ConsumerState state, const std::string& detail) {
  told_ = state;
  owner_->OnStateChanged(state, detail);
}

void Intake::TellServing() {
  if (info_.paused_until > timers_->now()) {
    Tell(ConsumerState::kPaused, "paused on the server until " + absl::FormatTime(info_.paused_until));
    pause_.SetAt(info_.paused_until, [this] {
      if (ready()) TellServing();
    });
  } else {
    Tell(ConsumerState::kServing, "");
  }
}

}  // namespace sluice::core
