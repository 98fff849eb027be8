#include "client-sdk/cpp/ledger.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace sluice::internal {

Ledger::Ledger(uint32_t credit, size_t remembered)
    : capacity_(std::max<size_t>(credit, remembered)), given_(capacity_) {}

Identity Ledger::IdentityOf(const DeliveryView& delivery) { return {delivery.stream_sequence, delivery.stored_ns}; }

template <typename F>
void Ledger::ForEachHeld(F f) const {
  for (Frame* frame : frames_) {
    for (Held& held : frame->held) {
      if (!held.settled) f(held);
    }
  }
}

std::vector<Settlement> Ledger::Accept(Frame& frame) {
  std::vector<Settlement> to_tell;
  const auto now = std::chrono::system_clock::now();
  for (Held& held : frame.held) {
    held.stream = stream_;
    held.leased = now;
    if (held.delivery->num_delivered > 1 && Rejoin(*held.delivery, to_tell)) {
      held.settled = held.Drop();
      ++stats_.rejoined;
    } else {
      ++stats_.received;
      ++stats_.in_flight;
    }
  }
  frame.position = frames_.size();
  frames_.push_back(&frame);
  return to_tell;
}

void Ledger::Forget(Frame& frame) {
  if (frame.position == Frame::kNotListed) return;
  frames_.back()->position = frame.position;
  std::swap(frames_[frame.position], frames_.back());
  frames_.pop_back();
  frame.position = Frame::kNotListed;
}

bool Ledger::Rejoin(const DeliveryView& delivery, std::vector<Settlement>& to_tell) {
  const Identity message = IdentityOf(delivery);
  if (const auto orphan = orphans_.find(message.sequence);
      orphan != orphans_.end() && IdentityOf(*orphan->second->delivery) == message) {
    Held& held = *orphan->second;
    // A lease that ended on this same stream: the daemon still counts the old id against the credit. It suppresses a
    // nak that is late.
    if (held.stream == stream_) to_tell.push_back({held.id, Nak()});
    held.id = delivery.id;
    held.rejoined_token = std::make_unique<const std::string>(delivery.token);
    held.stream = stream_;
    held.leased = std::chrono::system_clock::now();
    held.cancelled = false;
    held.stop = std::stop_source(std::nostopstate);
    orphans_.erase(orphan);
    return true;
  }
  const std::optional<Verdict> verdict = VerdictOn(message);
  if (!verdict) return false;
  to_tell.push_back({delivery.id, *verdict});
  given_.Remember(message, delivery.id, stream_, *verdict, delivery.token);
  return true;
}

// What was given once and stands: never a nak, as that message is to be handled again.
std::optional<Verdict> Ledger::VerdictOn(const Identity& message) const {
  if (const auto doubt = in_doubt_.find(message.sequence);
      doubt != in_doubt_.end() && doubt->second.message == message) {
    return doubt->second.verdict;
  }
  const Given* given = given_.Find(message);
  if (given == nullptr || given->verdict.kind() == Verdict::Kind::kNak) return std::nullopt;
  return given->verdict;
}

std::optional<uint64_t> Ledger::Settle(Held& held, const Verdict& verdict) {
  held.settled = true;
  --stats_.in_flight;
  Count(verdict);
  const Identity message = IdentityOf(*held.delivery);
  if (held.cancelled) {
    if (const auto orphan = orphans_.find(message.sequence); orphan != orphans_.end() && orphan->second == &held) {
      orphans_.erase(orphan);
    }
    RememberInDoubt(message, verdict);
  }
  if (held.stream != stream_) return std::nullopt;
  given_.Remember(message, held.id, held.stream, verdict, held.token());
  if (!connected_) return std::nullopt;
  return held.id;
}

void Ledger::NameHeld(bool kept, v1::Open& open) const {
  constexpr int kMost = 1 << 20;           // of Open.resume
  constexpr size_t kMostBytes = 12 << 20;  // a request has at most 16 MiB
  constexpr size_t kIdBytes = 16;          // of an entry, beside its token
  size_t bytes = 0;
  const auto name = [&](uint64_t id, std::string_view token) {
    bytes += kIdBytes + token.size();
    if (open.resume_size() == kMost || bytes > kMostBytes) return;
    v1::Held& held = *open.add_resume();
    held.set_id(id);
    if (!token.empty()) held.set_token(token.data(), token.size());
  };
  ForEachHeld([&](const Held& held) {
    if (held.stream == stream_) name(held.id, kept ? held.token() : std::string_view());
  });
  for (size_t i = given_.size(); i > 0; --i) {
    const Given& given = given_[i - 1];
    if (given.stream != stream_) continue;
    const bool harmless = given.verdict.kind() == Verdict::Kind::kAck;
    const bool repeatable = given.verdict.kind() == Verdict::Kind::kTerm && kept;
    name(given.id, harmless || repeatable ? std::string_view(given.token) : std::string_view());
  }
}

std::vector<Settlement> Ledger::OnOpened(const std::unordered_map<uint64_t, uint64_t>& resumed) {
  std::vector<Settlement> to_tell;
  const uint32_t previous = stream_++;
  connected_ = true;
  ++stats_.streams;
  for (size_t i = 0; i < given_.size(); ++i) {
    Given& given = given_[i];
    if (given.stream != previous) continue;
    if (const auto found = resumed.find(given.id); found != resumed.end()) {
      given.id = found->second;
      given.stream = stream_;
      to_tell.push_back({given.id, given.verdict});
    }
    RememberInDoubt(given.message, given.verdict);  // it may already be on its way to us again
  }
  ForEachHeld([&](Held& held) {
    if (held.stream != previous) return;
    if (const auto found = resumed.find(held.id); found != resumed.end()) {
      held.id = found->second;
      held.stream = stream_;
    } else {
      ++stats_.lost;
      Lose(held);
    }
  });
  return to_tell;
}

std::vector<Settlement> Ledger::OnLeasesEnded(const std::vector<uint64_t>& ids) {
  std::vector<Settlement> to_tell;
  const std::unordered_set<uint64_t> ended(ids.begin(), ids.end());
  ForEachHeld([&](Held& held) {
    if (held.stream == stream_ && ended.contains(held.id) && Lose(held)) to_tell.push_back({held.id, Nak()});
  });
  return to_tell;
}

void Ledger::OnDrained() {
  ForEachHeld([this](Held& held) {
    if (current(held)) Lose(held);
  });
}

std::vector<Settlement> Ledger::HandBack() {
  std::vector<Settlement> to_tell;
  ForEachHeld([&](Held& held) {
    if (!held.Drop()) return;
    if (const auto id = Settle(held, Nak())) to_tell.push_back({*id, Nak()});
  });
  std::sort(to_tell.begin(), to_tell.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return to_tell;
}

void Ledger::Close() {
  connected_ = false;
  ForEachHeld([this](Held& held) { Lose(held); });
}

bool Ledger::Lose(Held& held) {
  if (held.Drop()) {
    held.settled = true;
    --stats_.in_flight;
    return true;
  }
  held.cancelled = true;
  if (held.stop.stop_possible()) stopped_.push_back(held.stop);
  orphans_[held.delivery->stream_sequence] = &held;
  return false;
}

void Ledger::RememberInDoubt(const Identity& message, const Verdict& verdict) {
  if (verdict.kind() == Verdict::Kind::kNak) return;  // it is to be handled again
  if (!in_doubt_.insert_or_assign(message.sequence, Doubt{message, verdict}).second) return;
  in_doubt_order_.push_back(message.sequence);
  if (in_doubt_order_.size() > capacity_) {
    in_doubt_.erase(in_doubt_order_.front());
    in_doubt_order_.pop_front();
  }
}

void Ledger::Count(const Verdict& verdict) {
  switch (verdict.kind()) {
    case Verdict::Kind::kAck:
      ++stats_.acked;
      break;
    case Verdict::Kind::kNak:
      ++stats_.naked;
      break;
    case Verdict::Kind::kTerm:
      ++stats_.terminated;
      break;
  }
}

}  // namespace sluice::internal
