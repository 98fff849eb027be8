#include "core/fetched.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/log.h"
#include "core/consumer.h"

namespace sluice::core {
namespace {

// Of claims on what no delivery here stands for: beyond all ids of InFlight.
constexpr uint64_t kForeignId = uint64_t{1} << 63;

constexpr char kNotFetched[] =
    "not held: settled before, its lease was over and it went back to NATS, or never fetched here";
constexpr char kDrained[] = "not held: the drain is over, and what was not settled by then went back to NATS";
constexpr char kNamedTwice[] = "named twice in this request: the first counts";
constexpr char kLeaseOver[] = "its lease was over and it went back to NATS; the ack was forwarded all the same";
constexpr char kForeign[] =
    "an earlier daemon process gave it out: only an ack can still be passed on; it comes again after the ack wait";
constexpr char kNoAnswer[] =
    "NATS has not confirmed it in time; it is sent again, but may be delivered again all the same";

}  // namespace

absl::Status Fetched::Open() {
  if (session_ != nullptr) return absl::OkStatus();
  OpenRequest request;
  request.consumer = consumer_->options().name;
  request.credit = {0, 0};
  request.confirm_settlements = true;
  request.unary = true;
  AppStream* const self = this;  // a private base
  absl::StatusOr<Session*> session = consumer_->Open(request, self);
  if (session.ok()) session_ = *session;
  return session.status();
}

// --- what is held ---

std::vector<const Delivery*> Fetched::Take(Session* from, absl::Duration lease) {
  from->OnCredit({0, 0});  // nothing more is for that call
  std::vector<const Delivery*> taken;
  tokens_.clear();
  for (Delivery* delivery : from->Held()) {
    // The lease counts from now; and what has just run out is not handed out.
    if (!consumer_->Settle(delivery, {Verdict::kInProgress, absl::ZeroDuration(), {}})) continue;
    from->Drop(delivery);
    session_->Adopt(delivery);
    SetLease(delivery->id, lease);
    delivery->token = consumer_->Seal(*delivery, &tokens_.emplace_back());
    taken.push_back(delivery);
  }
  return taken;
}

void Fetched::SetLease(uint64_t id, absl::Duration length) {
  EndLease(id);
  const absl::Time end = timers_->now() + length;
  leases_[id] = {length, end};
  lease_ends_.emplace(end, id);
  ArmLeaseTimer();
}

void Fetched::EndLease(uint64_t id) {
  auto lease = leases_.find(id);
  if (lease == leases_.end()) return;
  lease_ends_.erase({lease->second.end, id});
  leases_.erase(lease);
}

void Fetched::ArmLeaseTimer() {
  if (lease_ends_.empty()) {
    lease_timer_.Cancel();
  } else {
    lease_timer_.SetAt(lease_ends_.begin()->first, [this] { EndLeasesDue(); });
  }
}

void Fetched::EndLeasesDue() {
  std::vector<uint64_t> due;
  std::vector<std::pair<uint64_t, const Delivery*>> deliveries;
  for (const auto& [end, id] : lease_ends_) {
    if (end > timers_->now()) break;
    due.push_back(id);
    const Delivery* delivery = consumer_->Find(id);
    if (delivery == nullptr) continue;
    Remember(*delivery);
    deliveries.emplace_back(id, delivery);
  }
  base::LogWarning("fetched messages were not settled within their lease, and go back to NATS",
                   {{"consumer", consumer_->options().name}, {"count", due.size()}});
  GiveBack(due);
  // What stays here, for a sibling in the order of its key or as its last attempt, is for that one to settle.
  for (const auto& [id, delivery] : deliveries) {
    if (delivery->live && delivery->id != id) remembered_.erase(id);
  }
  ArmLeaseTimer();
}

void Fetched::Remember(const Delivery& delivery) {
  remembered_[delivery.id] = GoneDelivery(delivery);
  remembered_order_.push_back(delivery.id);
  while (remembered_order_.size() > kMostRemembered) {
    remembered_.erase(remembered_order_.front());
    remembered_order_.pop_front();
  }
}

void Fetched::Return(absl::Span<const uint64_t> ids) { GiveBack(ids); }

void Fetched::GiveBack(absl::Span<const uint64_t> ids) {
  std::vector<Delivery*> deliveries;
  for (uint64_t id : ids) {
    EndLease(id);
    Delivery* delivery = consumer_->Find(id);
    if (delivery != nullptr && session_ != nullptr && delivery->session == session_) deliveries.push_back(delivery);
  }
  if (deliveries.empty()) return;
  std::sort(deliveries.begin(), deliveries.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  consumer_->HandBack(session_, deliveries);
  consumer_->Pump();
}

// --- verdicts ---

void Fetched::Settle(absl::Span<const SettleTarget> targets, const Settlement& settlement, SettleCallback callback) {
  const uint64_t number = ++last_call_;
  Call& call = calls_.try_emplace(number, timers_, std::move(callback)).first->second;
  const std::vector<uint64_t> ids = ReadTargets(number, targets, settlement.verdict);
  if (session_ == nullptr) {
    Answer(number, SettleOutcome::kNotHeld, ids, drained_ ? kDrained : kNotFetched);
    return FinishIfAnswered(number);
  }
  settling_ = number;
  const SettleRun run = {ids, settlement};
  if (!ids.empty()) session_->OnSettle({&run, 1});
  settling_ = 0;
  const bool keeps = settlement.verdict == Verdict::kInProgress;
  for (uint64_t id : ids) {
    auto lease = leases_.find(id);
    if (lease == leases_.end()) continue;
    if (keeps) {
      SetLease(id, absl::Duration(lease->second.length));
    } else {
      EndLease(id);
    }
  }
  for (const auto& [id, position] : call.positions) claims_[id] = number;
  call.timeout.SetAfter(kSettleTimeout, [this, number] { FailRest(number, kNoAnswer); });
  FinishIfAnswered(number);
  if (ids.empty()) consumer_->Pump();  // an ACK that was forwarded may have made way for the next of its key
}

std::vector<uint64_t> Fetched::ReadTargets(uint64_t number, absl::Span<const SettleTarget> targets, Verdict verdict) {
  Call& call = calls_.at(number);
  std::vector<uint64_t> held, twice, late, foreign;  // the last three: positions
  for (uint64_t position = 0; position < targets.size(); ++position) {
    const SettleTarget& target = targets[position];
    if (target.foreign) {
      const bool open = verdict == Verdict::kAck && Open().ok();
      if (!open) {
        foreign.push_back(position);
        continue;
      }
      const uint64_t id = kForeignId | ++last_foreign_;
      call.positions.emplace(id, position);
      consumer_->ForwardAck(*target.foreign, {session_->number(), id});
    } else if (auto gone = remembered_.find(target.id); verdict == Verdict::kAck && gone != remembered_.end()) {
      consumer_->ForwardLateAck(target.id, gone->second);
      remembered_.erase(gone);
      late.push_back(position);
    } else if (call.positions.emplace(target.id, position).second) {
      held.push_back(target.id);
    } else {
      twice.push_back(position);
    }
  }
  if (!twice.empty()) call.answers.push_back({SettleOutcome::kNotHeld, std::move(twice), kNamedTwice});
  if (!late.empty()) call.answers.push_back({SettleOutcome::kLate, std::move(late), kLeaseOver});
  if (!foreign.empty()) call.answers.push_back({SettleOutcome::kNotHeld, std::move(foreign), kForeign});
  return held;
}

void Fetched::Tell(Notice notice) {
  const auto* results = std::get_if<SettleResultsNotice>(&notice);
  if (results == nullptr) return;  // nobody is there to be told
  for (const auto& result : results->results) OnResult(result);
}

// Of the call that is being applied, or of one that waits for the server's word.
void Fetched::OnResult(const SettleResultsNotice::Result& result) {
  std::map<uint64_t, std::vector<uint64_t>> ids_by_call;
  for (uint64_t id : result.ids) {
    auto claim = claims_.find(id);
    const bool of_settling = settling_ != 0 && (claim == claims_.end() || result.outcome == SettleOutcome::kNotHeld);
    if (of_settling) {
      ids_by_call[settling_].push_back(id);
    } else if (claim != claims_.end()) {
      ids_by_call[claim->second].push_back(id);
      claims_.erase(claim);
    }
  }
  const bool not_held = result.outcome == SettleOutcome::kNotHeld;
  for (const auto& [call, ids] : ids_by_call) {
    Answer(call, result.outcome, ids, not_held ? kNotFetched : result.detail);
    if (call != settling_) FinishIfAnswered(call);
  }
}

void Fetched::Answer(uint64_t number, SettleOutcome outcome, const std::vector<uint64_t>& ids,
                     const std::string& detail) {
  Call& call = calls_.at(number);
  SettleResultsNotice::Result answer = {outcome, {}, detail};
  for (uint64_t id : ids) {
    auto position = call.positions.find(id);
    if (position == call.positions.end()) continue;
    answer.ids.push_back(position->second);
    call.positions.erase(position);
  }
  if (!answer.ids.empty()) call.answers.push_back(std::move(answer));
}

void Fetched::FailRest(uint64_t number, const std::string& detail) {
  std::vector<uint64_t> ids;
  for (const auto& [id, position] : calls_.at(number).positions) {
    ids.push_back(id);
    claims_.erase(id);
  }
  Answer(number, SettleOutcome::kFailed, ids, detail);
  FinishIfAnswered(number);
}

void Fetched::FinishIfAnswered(uint64_t number) {
  auto call = calls_.find(number);
  if (!call->second.positions.empty()) return;
  auto node = calls_.extract(call);
  SettleAnswers answers = std::move(node.mapped().answers);
  for (auto& answer : answers) std::sort(answer.ids.begin(), answer.ids.end());
  node.mapped().callback(std::move(answers));
}

// --- the session's end ---

void Fetched::Deliver(absl::Span<const Delivery* const>) {
  SLUICE_CHECK(false, "a session without credit is given nothing");
}

// The drain is over: what was not settled has gone back.
void Fetched::Finish(absl::Status) {
  session_ = nullptr;
  drained_ = true;
  leases_.clear();
  lease_ends_.clear();
  lease_timer_.Cancel();
  while (!calls_.empty()) FailRest(calls_.begin()->first, kNotConfirmedInDrain);
}

}  // namespace sluice::core
