#include "core/ack_floor.h"

#include <algorithm>
#include <utility>

namespace sluice::core {

std::deque<AckFloor::Entry>::iterator AckFloor::Find(uint64_t stream_sequence) {
  return std::lower_bound(entries_.begin(), entries_.end(), stream_sequence,
                          [](const Entry& entry, uint64_t sequence) { return entry.stream_sequence < sequence; });
}

AckFloor::Entry* AckFloor::FindEntry(uint64_t stream_sequence) {
  const auto it = Find(stream_sequence);
  return it != entries_.end() && it->stream_sequence == stream_sequence ? &*it : nullptr;
}

// Nearly always at the end.
AckFloor::Entry& AckFloor::FindOrMake(uint64_t stream_sequence) {
  if (entries_.empty() || entries_.back().stream_sequence < stream_sequence) {
    entries_.emplace_back(stream_sequence);
    return entries_.back();
  }
  const auto it = Find(stream_sequence);
  if (it->stream_sequence == stream_sequence) return *it;
  return *entries_.emplace(it, stream_sequence);
}

void AckFloor::Append(std::vector<Outbox::Claim>& claims, Outbox::Claim claim) {
  if (claim.session != 0) claims.push_back(claim);
}

// --- messages come ---

bool AckFloor::Add(const Message& message) {
  const bool follows = message.consumer_sequence == consumer_sequence_ + 1;
  if (ceiling_ == kNoLimit && !follows) {
    Doubt();
    suspicious_ = true;
  }
  consumer_sequence_ = message.consumer_sequence;
  // When nothing is outstanding the server lifts its floor to what it delivered last, without a word in CONSUMER.INFO.
  if (entries_.empty()) acked_as_ = std::max(acked_as_, message.consumer_sequence - 1);
  const bool was_settled = message.stream_sequence <= floor_;
  if (was_settled && message.num_delivered == 1) {  // somebody has set the consumer back
    floor_ = acked_as_ = ceiling_ = 0;
    suspicious_ = true;
  }
  Entry& entry = FindOrMake(message.stream_sequence);
  entry.came = true;
  if (message.stream_sequence <= floor_ && entry.state == State::kOpen) {  // its ACK got lost
    entry.state = State::kAcked;
    suspicious_ = true;
  }
  return entry.state == State::kOpen;
}

void AckFloor::Doubt() { ceiling_ = std::min(ceiling_, entries_.empty() ? floor_ : entries_.back().stream_sequence); }

std::vector<Outbox::Claim> AckFloor::Reset() {
  std::vector<Outbox::Claim> claims;
  for (const Entry& entry : entries_) claims.insert(claims.end(), entry.claims.begin(), entry.claims.end());
  entries_.clear();
  floor_ = acked_as_ = ceiling_ = 0;
  return claims;
}

// --- apps finish them ---

AckFloor::Finishing AckFloor::Finish(Delivery* delivery, const Settlement& settlement, Outbox::Claim claim) {
  if (delivery->stream_sequence() <= floor_ || (KnowsAll() && !IsOutstanding(delivery->stream_sequence()))) {
    return Finishing::kSettled;
  }
  Entry& entry = FindOrMake(delivery->stream_sequence());
  Append(entry.claims, claim);
  if (entry.finished != nullptr) return Finishing::kTwice;
  if (entry.state == State::kOpen) {
    entry.state = settlement.verdict == Verdict::kTerm ? State::kTerminated : State::kAcked;
    entry.term_reason = std::string(settlement.term_reason);
  }
  entry.finished = delivery;
  entry.reply.clear();
  return Finishing::kKept;
}

bool AckFloor::FinishGone(const Delivery& acked, Outbox::Claim claim) {
  if (acked.stream_sequence() <= floor_) return false;
  if (KnowsAll() && !IsOutstanding(acked.stream_sequence())) return false;
  Entry& entry = FindOrMake(acked.stream_sequence());
  if (entry.state == State::kOpen) {
    entry.state = State::kAcked;
    entry.reply = std::string(acked.message.reply);
  }
  Append(entry.claims, claim);
  return true;
}

Delivery* AckFloor::Keep(Delivery* finished) {
  Entry& entry = FindOrMake(finished->stream_sequence());
  entry.reply.clear();
  return std::exchange(entry.finished, finished);
}

void AckFloor::GiveUp(uint64_t stream_sequence) {
  const auto it = Find(stream_sequence);
  const bool is_open = it != entries_.end() && it->stream_sequence == stream_sequence && it->state == State::kOpen;
  if (is_open) entries_.erase(it);
}

void AckFloor::Forsake(const Delivery& finished) {
  Entry* entry = FindEntry(finished.stream_sequence());
  if (entry == nullptr || entry->finished != &finished) return;
  entry->finished = nullptr;
  entry->reply = std::string(finished.message.reply);
}

std::vector<Outbox::Claim> AckFloor::Reopen(const Delivery& finished) {
  Entry* entry = FindEntry(finished.stream_sequence());
  if (entry == nullptr || entry->finished != &finished) return {};
  entry->finished = nullptr;
  entry->state = State::kOpen;
  return std::exchange(entry->claims, {});
}

std::vector<uint64_t> AckFloor::TakeClaims(uint64_t session) {
  std::vector<uint64_t> ids;
  for (Entry& entry : entries_) {
    std::erase_if(entry.claims, [&](const Outbox::Claim& claim) {
      const bool its = claim.session == session;
      if (its) ids.push_back(claim.id);
      return its;
    });
  }
  return ids;
}

bool AckFloor::IsOutstanding(uint64_t stream_sequence) const {
  return const_cast<AckFloor*>(this)->FindEntry(stream_sequence) != nullptr;
}

bool AckFloor::IsDone(uint64_t stream_sequence) const {
  if (stream_sequence <= floor_) return true;
  const Entry* entry = const_cast<AckFloor*>(this)->FindEntry(stream_sequence);
  return entry != nullptr && entry->state != State::kOpen;
}

// --- and are acked ---

std::optional<AckFloor::Run> AckFloor::TakeRun(bool coalesce, bool held_only) {
  const auto may_ack = [&](const Entry& entry) { return MayAck(entry) && (!held_only || entry.finished != nullptr); };
  if (entries_.empty() || !may_ack(entries_.front())) return std::nullopt;
  Run run;
  bool ends = false;
  while (!ends && !entries_.empty() && may_ack(entries_.front())) {
    Entry& entry = entries_.front();
    run.terminates = entry.state == State::kTerminated;
    ends = !coalesce || run.terminates;
    ends |= entries_.size() == 1 || !may_ack(entries_[1]);
    if (ends) {
      run.reply = entry.finished != nullptr ? std::string(entry.finished->message.reply) : entry.reply;
      run.term_reason = std::move(entry.term_reason);
    }
    if (entry.finished != nullptr) run.deliveries.push_back(entry.finished);
    run.claims.insert(run.claims.end(), entry.claims.begin(), entry.claims.end());
    floor_ = std::max(floor_, entry.stream_sequence);
    entries_.pop_front();
  }
  run.consumer_sequence = ++acked_as_;
  return run;
}

uint64_t AckFloor::blocked_by() const {
  return entries_.empty() || MayAck(entries_.front()) ? 0 : entries_.front().stream_sequence;
}

// --- the server's word ---

AckFloor::Run AckFloor::OnServerFloor(uint64_t stream_sequence, uint64_t consumer_sequence) {
  Run settled;
  acked_as_ = std::max(acked_as_, consumer_sequence);
  floor_ = std::max(floor_, stream_sequence);
  while (!entries_.empty() && entries_.front().stream_sequence <= stream_sequence) {
    Entry& entry = entries_.front();
    if (entry.finished != nullptr) settled.deliveries.push_back(entry.finished);
    settled.claims.insert(settled.claims.end(), entry.claims.begin(), entry.claims.end());
    entries_.pop_front();
  }
  return settled;
}

std::vector<Outbox::Claim> AckFloor::OnAllHere(const std::vector<uint64_t>& outstanding, uint64_t delivered) {
  std::vector<Outbox::Claim> settled;
  std::deque<Entry> entries;
  for (const uint64_t stream_sequence : outstanding) {
    Entry* known = FindEntry(stream_sequence);
    entries.push_back(known == nullptr ? Entry(stream_sequence) : std::exchange(*known, Entry(stream_sequence)));
    entries.back().came = true;
  }
  for (const Entry& entry : entries_) settled.insert(settled.end(), entry.claims.begin(), entry.claims.end());
  entries_ = std::move(entries);
  consumer_sequence_ = std::max(consumer_sequence_, delivered);
  ceiling_ = kNoLimit;
  return settled;
}

}  // namespace sluice::core
