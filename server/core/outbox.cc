#include "core/outbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sluice::core {
namespace {

constexpr size_t kFirstRingSize = 1024;  // entries
constexpr absl::Duration kFirstRetry = absl::Milliseconds(50);
constexpr absl::Duration kLastRetry = absl::Seconds(1);

}  // namespace

Outbox::Outbox(base::Timers* timers, MessageSource* source, Owner* owner, uint64_t seed)
    : timers_(timers),
      source_(source),
      owner_(owner),
      retry_(timers),
      retry_backoff_(kFirstRetry, kLastRetry, seed),
      tell_(timers) {}

void Outbox::Send(const Delivery& delivery, const Settlement& settlement, Claim claim) {
  Entry& entry = Append();
  entry.reply.assign(delivery.message.reply.data(), delivery.message.reply.size());
  entry.term_reason.assign(settlement.term_reason.data(), settlement.term_reason.size());
  entry.verdict = settlement.verdict;
  entry.nak_delay = settlement.nak_delay;
  entry.as_consumer_sequence = settlement.as_consumer_sequence;
  entry.ack_deadline = delivery.ack_deadline;
  entry.claims.clear();
  if (claim.session != 0) entry.claims.push_back(claim);
  TransmitLast();
}

void Outbox::SendRun(absl::string_view reply, const Settlement& settlement, absl::Span<const Claim> claims) {
  Entry& entry = Append();
  entry.reply.assign(reply.data(), reply.size());
  entry.term_reason.assign(settlement.term_reason.data(), settlement.term_reason.size());
  entry.verdict = settlement.verdict;
  entry.nak_delay = absl::ZeroDuration();
  entry.as_consumer_sequence = settlement.as_consumer_sequence;
  entry.ack_deadline = absl::InfiniteFuture();
  entry.claims.assign(claims.begin(), claims.end());
  TransmitLast();
}

void Outbox::TransmitLast() {
  Entry& entry = At(end_ - 1);
  entry.sent = false;
  entry.again = false;
  if (!connected_) return;
  Transmit(end_ - 1);
  if (confirming_ == 0 && end_ >= confirm_at_ && !retry_.pending()) ConfirmLast();
}

void Outbox::Fence(absl::Time deadline, FenceCallback callback) {
  waiters_.emplace_back(timers_, end_, std::move(callback));
  auto waiter = std::prev(waiters_.end());
  waiter->timeout.SetAt(begin_ == end_ ? timers_->now() : deadline, [this, waiter] {
    Waiter expired = {timers_, waiter->end, std::move(waiter->callback)};
    waiters_.erase(waiter);
    expired.callback(expired.end - std::min(expired.end, begin_));
  });
  if (connected_ && confirming_ == 0 && vouched_ != end_ && !retry_.pending()) ConfirmLast();
}

void Outbox::OnConnection(bool connected) {
  connected_ = connected;
  retry_.Cancel();
  if (!connected) return;
  SendAgain();
  if (vouched_ != end_ && confirming_ == 0) ConfirmLast();
}

bool Outbox::SafeToSend(const Entry& entry) const {
  const bool in_time = timers_->now() < entry.ack_deadline;
  return entry.verdict == Verdict::kAck || (in_time && (entry.verdict == Verdict::kTerm || !entry.sent));
}

void Outbox::SendAgain() {
  uint64_t stale = 0;
  for (uint64_t position = begin_; position < end_; ++position) {
    Entry& entry = At(position);
    if (position < vouched_ && entry.claims.empty()) continue;
    if (SafeToSend(entry)) {
      Transmit(position);
    } else {
      stale += !entry.sent;
      Resolve(entry, SettleOutcome::kFailed, "the connection to NATS broke before it was confirmed");
    }
  }
  Forget();
  if (stale > 0) base::LogWarning("verdicts came too late for the reconnect", {{"count", stale}});
}

void Outbox::OnConfirmed(uint64_t tag, const absl::Status& status) {
  if ((tag & kClaimTag) != 0) return OnClaimAnswered(tag & ~kClaimTag, status);
  if (tag != confirming_) return;
  confirming_ = 0;
  if (status.ok()) {
    ack_duration_.Observe(timers_->now() - confirming_since_);
    Vouch(tag);
    if (!waiters_.empty() && connected_ && vouched_ != end_) ConfirmLast();
    return;
  }
  if (!connected_) return;  // the reconnect says it all again
  for (uint64_t position = vouched_; position < tag; ++position) {
    Entry& entry = At(position);
    entry.again |= entry.verdict == Verdict::kAck && entry.claims.empty();
  }
  confirm_at_ = end_ + 1;  // if there are no ACKs to say again: with the next verdict
  AskAgainLater();
}

void Outbox::OnClaimAnswered(uint64_t position, const absl::Status& status) {
  if (position < begin_ || position >= end_) return;
  Entry& entry = At(position);
  if (entry.claims.empty()) return;
  if (status.ok()) {
    ack_duration_.Observe(timers_->now() - entry.asked);
    Resolve(entry, SettleOutcome::kConfirmed);
    Vouch(position + 1);
  } else if (!connected_) {
    // The reconnect says it again.
  } else if (SafeToSend(entry) && timers_->now() < entry.ack_deadline) {
    entry.again = true;
    AskAgainLater();
  } else {
    Resolve(entry, SettleOutcome::kFailed, absl::StrCat("not confirmed: ", status.message()));
    Forget();
  }
}

void Outbox::AskAgainLater() {
  if (retry_.pending()) return;
  retry_.SetAfter(retry_backoff_.Next(), [this] {
    bool ask = !waiters_.empty();
    for (uint64_t position = begin_; position < end_; ++position) {
      if (!At(position).again) continue;
      ask |= At(position).claims.empty();
      Transmit(position);
    }
    if (ask && confirming_ == 0 && vouched_ != end_) ConfirmLast();
  });
}

Outbox::Entry& Outbox::Append() {
  if (end_ - begin_ == kMostKept) {
    const uint64_t end = begin_ + kMostKept / 2;
    for (uint64_t position = begin_; position < end; ++position) {
      Resolve(At(position), SettleOutcome::kFailed, "too many verdicts wait for NATS");
    }
    begin_ = end;  // who waits for them is woken by the next answer, not from within Send()
    vouched_ = std::max(vouched_, end);
  }
  if (end_ - begin_ == ring_.size()) {
    std::vector<Entry> larger(std::max(kFirstRingSize, ring_.size() * 2));
    for (uint64_t position = begin_; position < end_; ++position) {
      larger[position & (larger.size() - 1)] = std::move(At(position));
    }
    ring_.swap(larger);
  }
  return At(end_++);
}

void Outbox::Transmit(uint64_t position) {
  Entry& entry = At(position);
  entry.sent = true;
  entry.again = false;
  const Settlement settlement = {entry.verdict, entry.nak_delay, entry.term_reason, entry.as_consumer_sequence};
  if (entry.claims.empty()) {
    source_->Settle(entry.reply, settlement);
  } else {
    entry.asked = timers_->now();
    source_->Confirm(entry.reply, settlement, position | kClaimTag);
  }
}

// Asks for an answer, which vouches for all that was sent before, whichever message it names. On a settled message an
// ACK is answered and changes nothing (measured on nats-server 2.9, 2.10 and 2.15). Where there are only NAKs, the
// question must not name their messages: an in-progress would set back the clock of a delayed one, or of the one who
// holds it now and has delayed it himself.
void Outbox::ConfirmLast() {
  const auto is_settled = [](const Entry& entry) { return entry.sent && entry.verdict != Verdict::kNak; };
  uint64_t position = end_ - 1;
  while (position > begin_ && !is_settled(At(position))) --position;
  confirming_ = end_;
  confirming_since_ = timers_->now();
  if (is_settled(At(position))) {
    Settlement ack;
    ack.as_consumer_sequence = At(position).as_consumer_sequence;
    source_->Confirm(At(position).reply, ack, confirming_);
  } else {
    source_->Fence(At(end_ - 1).reply, confirming_);
  }
}

void Outbox::Vouch(uint64_t end) {
  retry_backoff_.Reset();
  vouched_ = std::max(vouched_, end);
  confirm_at_ = end_ + kFenceEvery;
  Forget();
}

void Outbox::Forget() {
  while (begin_ < vouched_ && At(begin_).claims.empty()) ++begin_;
  WakeWaiters();
}

void Outbox::WakeWaiters() {
  std::list<Waiter> done;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    auto next = std::next(it);
    if (it->end <= begin_) done.splice(done.end(), waiters_, it);
    it = next;
  }
  if (!done.empty()) TellResults();
  for (Waiter& waiter : done) {
    waiter.timeout.Cancel();
    waiter.callback(0);
  }
}

// --- claims ---

void Outbox::FailClaims(uint64_t session, const std::string& detail) {
  for (uint64_t position = begin_; position < end_; ++position) {
    std::erase_if(At(position).claims, [&](const Claim& claim) {
      const bool ends = session == 0 || claim.session == session;
      if (ends) Note(claim, SettleOutcome::kFailed, detail);
      return ends;
    });
    if (At(position).claims.empty()) At(position).again = false;
  }
  TellResults();
}

void Outbox::Resolve(Entry& entry, SettleOutcome outcome, const std::string& detail) {
  if (entry.claims.empty()) return;
  for (const Claim& claim : entry.claims) Note(claim, outcome, detail);
  entry.claims.clear();
  entry.again = false;
}

void Outbox::Confirm(Claim claim) {
  if (claim.session != 0) Note(claim, SettleOutcome::kConfirmed, "");
}

void Outbox::Note(Claim claim, SettleOutcome outcome, const std::string& detail) {
  results_[claim.session].push_back({outcome, claim.id, detail});
  if (!tell_.pending()) tell_.SetAfter(absl::ZeroDuration(), [this] { TellResults(); });
}

void Outbox::TellResults() {
  tell_.Cancel();
  for (auto& [session, results] : std::exchange(results_, {})) {
    for (size_t begin = 0; begin < results.size();) {
      const Result& first = results[begin];
      std::vector<uint64_t> ids;
      size_t end = begin;
      for (; end < results.size() && results[end].outcome == first.outcome && results[end].detail == first.detail;
           ++end) {
        ids.push_back(results[end].id);
      }
      owner_->OnResults(session, first.outcome, std::move(ids), first.detail);
      begin = end;
    }
  }
}

}  // namespace sluice::core
