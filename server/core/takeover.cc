#include "core/takeover.h"

#include <algorithm>
#include <utility>

namespace sluice::core {

void Takeover::Begin() {
  running_ = true;
  began_ = timers_->now();
  missing_ = 1;
  excess_ = 0;
  gathers_anew_ = false;
  probing_ = false;
  next_poll_ = kFirstPoll;
  // Behind the messages that have just come, which are still being taken in.
  poll_.SetAfter(absl::ZeroDuration(), [this] { Ask(); });
}

void Takeover::Cancel() {
  running_ = false;
  poll_.Cancel();
}

void Takeover::Ask() {
  if (!owner_->AskInfo()) AskLater();
}

void Takeover::AskLater() {
  poll_.SetAfter(next_poll_, [this] { Ask(); });
  next_poll_ = std::min(next_poll_ * 2, kLastPoll);
}

void Takeover::OnInfo(const absl::StatusOr<ConsumerInfo>& info) {
  if (!running_) return;
  if (!info.ok()) return AskLater();
  const uint64_t here = owner_->CountHere(info->delivered_consumer_sequence);
  if (IsOver(here, info->num_ack_pending)) {
    Cancel();
    owner_->OnTakenOver();
    return;
  }
  missing_ = std::max<uint64_t>(info->num_ack_pending - std::min(info->num_ack_pending, here), 1);
  AskLater();
  owner_->OnStillMissing();
}

bool Takeover::IsOver(uint64_t here, uint64_t outstanding) {
  if (here <= outstanding) {
    excess_ = 0;
    return here == outstanding;
  }
  if (++excess_ < kMostExcess) return false;
  excess_ = 0;
  if (std::exchange(gathers_anew_, true)) return true;
  owner_->OnExcess();
  return false;
}

void Takeover::OnArrivals(bool redelivered) {
  if (!running_) return;
  probing_ = !redelivered;
  if (probing_) next_probe_ = timers_->now() + kProbeEvery;
  if (redelivered) next_poll_ = kFirstPoll;
}

uint64_t Takeover::wanted() const {
  if (!probing_) return missing_;
  return timers_->now() < next_probe_ ? 0 : 1;
}

}  // namespace sluice::core
