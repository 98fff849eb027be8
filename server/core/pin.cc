#include "core/pin.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sluice::core {
namespace {

constexpr size_t kMostRenewals = 64;  // without an answer, in fence / 4 each
constexpr absl::Duration kLeastTick = absl::Milliseconds(20);
constexpr absl::Duration kMostTick = absl::Seconds(1);
constexpr absl::Duration kLate = absl::Milliseconds(50);  // what is later has been stopped
// A takeover that lasts longer is worth telling, and as often.
constexpr absl::Duration kTellAfter = absl::Milliseconds(200);
constexpr absl::Duration kTellEvery = absl::Seconds(1);

}  // namespace

Pin::Pin(base::Timers* timers, const ConsumerOptions& options, Owner* owner)
    : timers_(timers),
      options_(options),
      owner_(owner),
      takeover_(timers, this),
      priority_timeout_(options.priority_timeout),
      fence_(options.priority_timeout),
      tick_(timers) {}

// --- what the server says ---

void Pin::OnAttached(const ConsumerInfo& info) {
  owner_->OnServerInfo(info);
  if (draining_) return;
  if (info.priority_timeout > absl::ZeroDuration()) priority_timeout_ = info.priority_timeout;
  ack_wait_ = info.ack_wait;
  for (const absl::Duration step : info.backoff) ack_wait_ = std::min(ack_wait_, step);
  fence_ = std::min(priority_timeout_, ack_wait_ / 2) * 0.9;
  if (!id_.empty() && info.pinned_client_id != id_) Lose();
  if (options_.ack_all) GatherAgain();
  NotePinned(info.pinned_client_id);
  Tick();
}

void Pin::OnMessages(absl::Span<const Message> batch) {
  bool redelivered = false;
  for (const Message& message : batch) {
    redelivered |= message.num_delivered > 1;
    if (message.pin_id != id_ || (state_ == State::kStandby && !draining_)) TakeOver(message.pin_id);
  }
  takeover_.OnArrivals(redelivered);
}

void Pin::OnPullEnded(absl::Time caught_up) {
  if (caught_up == caught_up_) return;
  caught_up_ = caught_up;
  caught_up_known_ = timers_->now();
}

void Pin::OnWrongPin() {
  if (!draining_ && !id_.empty()) Lose();
}

// It knows nothing of pins: the next pull that gets a message is pinned, whosever it is, and our last answer says
// nothing of that.
void Pin::OnNewLeader() { GatherAgain(); }

void Pin::OnRenewalEnded(const PullStatus& status) {
  const auto renewal =
      std::find_if(renewals_.begin(), renewals_.end(), [&](const Renewal& one) { return one.id == status.pull_id; });
  if (renewal == renewals_.end()) return;
  const absl::Time sent = renewal->sent;
  answered_ = std::max(answered_, sent);
  if (status.kind == PullStatus::Kind::kWrongPin) return OnWrongPin();
  renewals_.erase(renewals_.begin(), renewal + 1);
  if (status.kind != PullStatus::Kind::kExpired) return;
  if (sent >= ours_until_) {
    // Nobody else is pinned now. But ours may have run out before this was asked, and somebody may have been pinned and
    // gone again: only CONSUMER.INFO tells.
    GatherAgain();
    return;
  }
  sure_until_ = std::max(sure_until_, sent + fence_);
  ours_until_ = std::max(ours_until_, sent + priority_timeout_);
  // Nobody else was pinned since that pull, so nobody else was sent anything.
  if (state_ == State::kActive && caught_up_known_ <= sent) owner_->OnCaughtUp(caught_up_);
  owner_->OnPinSure();
}

void Pin::OnInfo(const absl::StatusOr<ConsumerInfo>& info) {
  if (infos_ > 0) --infos_;
  if (stale_infos_ > 0) {
    --stale_infos_;
    if (takeover_.running()) takeover_.OnInfo(absl::UnavailableError("asked before the pin changed"));
    return;
  }
  if (info.ok()) owner_->OnServerInfo(*info);
  if (draining_) return;
  if (info.ok() && !id_.empty() && info->pinned_client_id != id_) {
    base::LogWarning("not pinned any more", {{"consumer", options_.name}});
    Lose();
  } else if (info.ok() && !id_.empty()) {
    // It is still the same pin, so it has never run out, and Gather() has renewed it.
    ours_until_ = std::max(ours_until_, timers_->now() + priority_timeout_ / 2);
  }
  if (info.ok()) NotePinned(info->pinned_client_id);
  takeover_.OnInfo(info);
}

void Pin::NotePinned(const std::string& pin_id) {
  if (state_ != State::kStandby || elsewhere_ == pin_id) return;
  elsewhere_ = pin_id;
  owner_->OnPinNews();
}

// --- the pin changes ---

void Pin::TakeOver(absl::string_view pin_id) {
  id_ = std::string(pin_id);
  elsewhere_.clear();
  renewals_.clear();
  stale_infos_ = infos_;
  sure_until_ = absl::InfinitePast();
  ours_until_ = timers_->now() + priority_timeout_ / 2;
  if (draining_) return;
  base::LogInfo("pinned: this daemon takes over", {{"consumer", options_.name}, {"pin", id_}});
  Gather();
}

void Pin::Gather() {
  takeover_.Begin();
  Change(State::kGathering);
  Renew();
}

void Pin::GatherAgain() {
  if (state_ == State::kActive && !draining_) Gather();
}

void Pin::OnTakenOver() {
  base::LogInfo("taken over: this daemon is the active one",
                {{"consumer", options_.name}, {"after", absl::FormatDuration(timers_->now() - takeover_.began())}});
  Change(State::kActive);
}

void Pin::OnStillMissing() {
  const absl::Time now = timers_->now();
  if (now - takeover_.began() >= kTellAfter && now - told_at_ >= kTellEvery) {
    told_at_ = now;
    told_ = absl::StrCat("taking over: waiting for ", takeover_.missing(),
                         " messages that other pods had; what a killed pod had comes when its ack wait of ",
                         absl::FormatDuration(ack_wait_), " is over");
  }
  owner_->OnPinNews();
}

void Pin::Lose() {
  base::LogInfo("pin lost: this daemon stands by", {{"consumer", options_.name}, {"pin", id_}});
  id_.clear();
  elsewhere_.clear();
  renewals_.clear();
  stale_infos_ = infos_;
  takeover_.Cancel();
  next_watch_ = timers_->now();
  Change(State::kStandby);
}

void Pin::Change(State state) {
  const State before = std::exchange(state_, state);
  told_.clear();
  told_at_ = absl::InfinitePast();
  owner_->OnPinChanged(before);
}

void Pin::OnExcess() {
  base::LogInfo("taking over: its former holder has settled some of it late; gathering anew",
                {{"consumer", options_.name}});
  owner_->NakUnseen();
}

// --- keeping it, and letting go ---

void Pin::Tick() {
  if (draining_) return;
  NoteAwake();
  tick_due_ = timers_->now() + std::clamp(fence_ / 4, kLeastTick, kMostTick);
  tick_.SetAt(tick_due_, [this] { Tick(); });
  switch (state_) {
    case State::kStandby:
      if (timers_->now() < next_watch_) return;
      next_watch_ = timers_->now() + priority_timeout_;
      AskInfo();
      return;
    case State::kGathering:
    case State::kActive:
      if (owner_->WantsPin()) return Renew();
      takeover_.Cancel();
      return Change(State::kLeaving);
    case State::kLeaving:
      return Leave();
  }
}

void Pin::Reconsider() {
  if (leaving() && !draining_ && owner_->WantsPin()) Gather();
}

// Nobody here would take anything: another pod is served sooner than after priority_timeout.
void Pin::Leave() {
  if (!owner_->HasNothing()) return;
  if (timers_->now() < ours_until_) owner_->Unpin();
  Lose();
}

void Pin::Renew() {
  if (renewals_.size() == kMostRenewals) renewals_.pop_front();
  const uint64_t id = kRenewals | ++last_renewal_;
  renewals_.push_back({id, timers_->now()});
  if (!owner_->RenewPin(id_, id)) renewals_.pop_back();
}

// After a stall the timer may run before what has come meanwhile is read, so it is not trusted at once.
void Pin::NoteAwake() {
  const absl::Time now = timers_->now();
  ticks_on_time_ = now > tick_due_ + kLate ? 0 : ticks_on_time_ + 1;
  if (ticks_on_time_ >= kTrusted) awake_ = now;
}

bool Pin::AskInfo() {
  if (!owner_->RequestInfo()) return false;
  ++infos_;
  return true;
}

bool Pin::MayHandOut() const {
  if (draining_ || gives_back()) return true;
  timers_->Refresh();
  return state_ == State::kActive && timers_->now() < sure_until_;
}

std::string Pin::Detail() const {
  if (pinned_elsewhere()) return "another pod of the fleet is active; this one stands by";
  return told_;
}

// --- the drain ---

void Pin::BeginDrain() {
  draining_ = true;
  takeover_.Cancel();
  tick_.Cancel();
}

// It is not ours to unpin whoever has taken over meanwhile.
bool Pin::UnpinLast() { return !id_.empty() && timers_->now() < ours_until_ && owner_->Unpin(); }

void Pin::OnUnpinned(const absl::Status& status) {
  if (!status.ok()) {
    base::LogInfo("not unpinned: the next pod takes over when the pin's time is over",
                  {{"consumer", options_.name}, {"err", status.message()}});
  }
  owner_->OnUnpinned();
}

}  // namespace sluice::core
