#include "test/sim/sim_app.h"

#include <algorithm>
#include <map>

#include "test/sim/sim_pod.h"

namespace sluice::test {

using core::Verdict;

void SimApp::Later(absl::Duration delay, absl::AnyInvocable<void()> action) {
  context_.timers->After(delay, [alive = std::weak_ptr<bool>(alive_), action = std::move(action)]() mutable {
    if (alive.lock() != nullptr) action();
  });
}

// ---------------------------------------------------------------------------------------------------------------
// streams

void SimApp::Connect() {
  connecting_ = false;
  if (stream_ != nullptr) return;
  core::OpenRequest request;
  request.consumer = "orders";
  request.client_id = profile_.client_id;
  request.credit = profile_.credit;
  request.max_batch = profile_.max_batch;
  request.confirm_settlements = profile_.confirms;
  request.resumable = profile_.resumable;
  NameWhatItHas(&request);
  if (!pod_->running()) return Reconnect(absl::Milliseconds(50));
  draining_ = false;
  SimStream::App* const app = this;
  stream_ = std::make_shared<SimStream>(context_, ++*last_stream_, app, profile_.most_write);
  stream_->Open(pod_, std::move(request));
}

// See consumer.proto, Open.resume. A token is named unless the daemon may have given the message back before it died,
// or its NAK may have been sent; an ACK does no harm in any case.
bool SimApp::MayBringToken(const Work& work) const {
  if (work.token.empty()) return false;
  const bool said = work.state == Work::State::kDone || work.state == Work::State::kSaid;
  if (said && work.verdict == Verdict::kAck) return true;
  const absl::Time now = context_.timers->now();
  const bool kept = now < stream_ended_ + pod_->options().resume_window && now < drain_deadline_;
  return kept && !(said && work.verdict == Verdict::kNak);
}

void SimApp::NameWhatItHas(core::OpenRequest* request) {
  for (const auto& [key, work] : works_) {
    if (!CanResume() || work.stream != streams_number_) continue;
    if (MayBringToken(work)) {
      request->tokens.push_back({work.id, work.token});
    } else {  // to the daemon that gave the id it means something
      request->resume.push_back(work.id);
    }
  }
  if (context_.dice->Chance(profile_.forges)) request->tokens.push_back({context_.dice->Seed(), "forged"});
}

void SimApp::Reconnect(absl::Duration delay) {
  if (connecting_) return;
  connecting_ = true;
  Later(context_.dice->Between(delay / 2, delay), [this] { Connect(); });
}

// Goes on where the last stream ended: says again what may not have arrived, and works on what it still holds.
void SimApp::OnOpened(const core::OpenedNotice& opened) {
  std::map<uint64_t, uint64_t> resumed;  // old id -> new id
  for (uint64_t id : opened.resumed) resumed[id] = id;
  for (const auto& adopted : opened.adopted) resumed[adopted.held_id] = adopted.id;
  for (auto it = works_.begin(); it != works_.end();) {
    Work& work = it->second;
    const bool kept = work.stream == streams_number_ && resumed.contains(work.id);
    const bool at_work = work.state == Work::State::kWorking;
    if (kept) {
      work.stream = stream_->number();
      work.id = resumed.at(work.id);
      const bool said = work.state == Work::State::kSaid || work.state == Work::State::kDone;
      if (said) Say(work);
    } else {
      work.stream = 0;
    }
    it = kept || at_work ? std::next(it) : works_.erase(it);
  }
  std::erase_if(queue_, [&](uint64_t key) { return !works_.contains(key); });
  streams_number_ = stream_->number();
  drain_deadline_ = absl::InfiniteFuture();
}

void SimApp::OnStreamEnded() {
  LeaveStream();
  Reconnect(absl::Milliseconds(200));
}

void SimApp::LeaveStream() {
  stream_.reset();
  outgoing_.clear();
  stream_ended_ = context_.timers->now();
  if (CanResume()) return;
  // What it had not begun it will be given again; what it works on it finishes, for nobody to hear.
  queue_.clear();
  std::erase_if(works_, [](const auto& entry) { return entry.second.state != Work::State::kWorking; });
}

void SimApp::LoseStream(absl::Duration down, absl::Duration unnoticed) {
  if (stream_ == nullptr) return;
  stream_->Break(unnoticed);
  LeaveStream();
  Reconnect(down);
}

void SimApp::Forget() {
  if (stream_ != nullptr) stream_->Break(absl::ZeroDuration());
  stream_.reset();
  outgoing_.clear();
  works_.clear();
  queue_.clear();
  busy_lanes_ = 0;
  connecting_ = false;
  alive_ = std::make_shared<bool>(true);
}

void SimApp::Crash(absl::Duration down, AppProfile next) {
  Forget();
  profile_ = std::move(next);
  Reconnect(down);
}

void SimApp::HalfClose() {
  if (stream_ == nullptr) return;
  Flush();
  stream_->HalfClose();
  works_.clear();  // given back, whatever it may still do
  queue_.clear();
}

void SimApp::Drain(absl::Duration timeout) {
  if (stream_ != nullptr) stream_->Drain(timeout);
}

void SimApp::SetCredit(core::Credit credit) {
  profile_.credit = credit;
  if (stream_ != nullptr) stream_->SetCredit(credit);
}

void SimApp::OnNotice(const core::Notice& notice) {
  if (const auto* opened = std::get_if<core::OpenedNotice>(&notice)) OnOpened(*opened);
  if (std::holds_alternative<core::DrainedNotice>(notice)) drain_deadline_ = context_.timers->now();
  if (const auto* draining = std::get_if<core::DrainingNotice>(&notice)) {
    drain_deadline_ = std::min(drain_deadline_, draining->deadline);
    draining_ = true;
    LeaveIfIdle();
  }
}

bool SimApp::Busy() const {
  return std::any_of(works_.begin(), works_.end(), [](const auto& entry) {
    return entry.second.state == Work::State::kQueued || entry.second.state == Work::State::kWorking;
  });
}

void SimApp::LeaveIfIdle() {
  if (draining_ && profile_.leaves_when_draining && !Busy()) HalfClose();
}

// ------------------------------------------------------------------------------------------------------------------
// work

void SimApp::OnDeliveries(const std::vector<SimStream::Given>& batch) {
  for (const SimStream::Given& given : batch) {
    works_[++last_key_] = {given.attempt,        given.id,      stream_->number(),
                           Work::State::kQueued, Verdict::kAck, given.token};
    queue_.push_back(last_key_);
  }
  while (works_.size() > kMostWorks) works_.erase(works_.begin());
  StartWork();
}

void SimApp::StartWork() {
  while (busy_lanes_ < profile_.lanes && !queue_.empty()) {
    const uint64_t key = queue_.front();
    queue_.pop_front();
    auto work = works_.find(key);
    if (work == works_.end()) continue;
    work->second.state = Work::State::kWorking;
    ++busy_lanes_;
    if (context_.dice->Chance(profile_.hangs)) continue;
    Later(context_.dice->Between(profile_.least_work, profile_.most_work), [this, key] { FinishWork(key); });
    if (profile_.in_progress_every > absl::ZeroDuration()) {
      Later(profile_.in_progress_every, [this, key] { SayInProgress(key); });
    }
  }
}

void SimApp::FinishWork(uint64_t key) {
  --busy_lanes_;
  auto found = works_.find(key);
  if (found == works_.end()) return StartWork();
  Work& work = found->second;
  work.verdict = context_.dice->Chance(profile_.naks)    ? Verdict::kNak
                 : context_.dice->Chance(profile_.terms) ? Verdict::kTerm
                                                         : Verdict::kAck;
  work.state = Work::State::kDone;
  if (work.verdict != Verdict::kNak) context_.ledger->OnHandled(work.attempt);
  Say(work);
  StartWork();
  LeaveIfIdle();
}

void SimApp::SayInProgress(uint64_t key) {
  auto found = works_.find(key);
  if (found == works_.end() || found->second.state != Work::State::kWorking) return;
  if (stream_ != nullptr && found->second.stream == stream_->number()) {
    stream_->Settle({{found->second.id, {Verdict::kInProgress, absl::ZeroDuration(), {}}}});
  }
  Later(profile_.in_progress_every, [this, key] { SayInProgress(key); });
}

core::Settlement SimApp::Settlement(Verdict verdict) {
  core::Settlement settlement;
  settlement.verdict = verdict;
  if (verdict == Verdict::kNak && context_.dice->Chance(profile_.delays_nak)) {
    settlement.nak_delay = context_.dice->Between(absl::Milliseconds(1), absl::Seconds(2));
  }
  if (verdict == Verdict::kTerm) settlement.term_reason = "hopeless";
  return settlement;
}

void SimApp::Say(Work& work) {
  if (stream_ == nullptr || work.stream != stream_->number()) return;
  work.state = Work::State::kSaid;
  outgoing_.emplace_back(work.id, Settlement(work.verdict));
  if (context_.dice->Chance(profile_.misbehaves)) {
    const uint64_t strange = context_.dice->Chance(0.5) ? work.id : context_.dice->Seed();
    outgoing_.emplace_back(strange, Settlement(Verdict::kNak));
  }
  if (outgoing_.size() > 1 && profile_.settle_delay > absl::ZeroDuration()) return;  // a Flush() is on its way
  Later(profile_.settle_delay, [this] { Flush(); });
}

void SimApp::Flush() {
  if (stream_ == nullptr || outgoing_.empty()) return;
  stream_->Settle(std::exchange(outgoing_, {}));
}

}  // namespace sluice::test
