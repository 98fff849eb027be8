#include "core/pull_window.h"

#include <algorithm>

namespace sluice::core {

void PullWindow::SetLimits(const ConsumerInfo& info) { limits_ = info; }

std::optional<PullRequest> PullWindow::Open(const Demand& demand, uint64_t in_flight) {
  if (is_open()) return std::nullopt;
  uint64_t batch = std::min<uint64_t>(demand.messages, options_.pull_batch);
  if (limits_.max_request_batch > 0) batch = std::min<uint64_t>(batch, limits_.max_request_batch);
  if (limits_.max_ack_pending > 0) {
    // The server would not send more before it hears of these, but for redeliveries.
    const uint64_t most = limits_.max_ack_pending;
    batch = std::min(batch, std::max<uint64_t>(most - std::min(most, in_flight), demand.redelivery ? 1 : 0));
  }
  uint64_t max_bytes = MaxBytes(demand);
  if (too_small_bytes_ > 0 && max_bytes <= too_small_bytes_) {
    if (!demand.idle_session) return std::nullopt;
    // Larger than the credit, or than a pull may ask for: alone, for an app that holds nothing.
    batch = std::min<uint64_t>(batch, 1);
    max_bytes = 0;
  }
  if (batch == 0) return std::nullopt;
  remaining_ = batch;
  brought_ = 0;
  ended_ = false;
  last_max_bytes_ = max_bytes;
  PullRequest request;
  request.id = ++last_id_;
  request.batch = static_cast<uint32_t>(batch);
  request.max_bytes = max_bytes;
  request.expires = last_expires_ = Expires(demand);
  request.heartbeat = heartbeat();
  return request;
}

bool PullWindow::OnMessages(uint64_t count) {
  too_small_bytes_ = 0;
  brought_ += count;
  const bool was_open = is_open();
  remaining_ -= std::min(remaining_, count);
  return was_open && !is_open();
}

bool PullWindow::OnEnded(std::optional<uint64_t> unsent) {
  if (!ended_) remaining_ -= std::min(remaining_, unsent.value_or(remaining_));
  ended_ = true;
  return !is_open();
}

void PullWindow::OnMessageTooLarge() { too_small_bytes_ = std::max<uint64_t>(last_max_bytes_, 1); }

void PullWindow::SetPace(absl::Duration lasted) {
  const absl::Duration slower = 2 * std::max(pace_, kShortest);
  pace_ = brought_ > 0 ? lasted * kPerPull / static_cast<int64_t>(brought_) : slower;
}

absl::Duration PullWindow::Expires(const Demand& demand) const {
  const absl::Duration limit = limits_.max_request_expires;
  const absl::Duration most =
      limit > absl::ZeroDuration() ? std::min(options_.pull_expires, limit) : options_.pull_expires;
  // Else pulls end by being fulfilled, or in idleness.
  const absl::Duration pace = limits_.tells_expiry ? std::max(pace_, kShortest) : most;
  return std::min({most, pace, std::max(demand.wanted_for, kLeastExpires)});
}

// None for a pull whose end comes before a second heartbeat would.
absl::Duration PullWindow::heartbeat() const {
  const bool given = options_.pull_heartbeat > absl::ZeroDuration();
  const absl::Duration wanted = given ? options_.pull_heartbeat : options_.pull_expires / 2;
  return 2 * wanted <= last_expires_ ? wanted : absl::ZeroDuration();
}

uint64_t PullWindow::MaxBytes(const Demand& demand) const {
  const uint64_t limit = limits_.max_request_max_bytes;
  return limit > 0 ? std::min(demand.bytes, limit) : demand.bytes;
}

}  // namespace sluice::core
