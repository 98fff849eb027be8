#include "client-sdk/cpp/ending.h"

#include <algorithm>

namespace sluice::internal {
namespace {

// Answers that no amount of patience changes.
bool IsPermanent(const grpc::Status& end) {
  switch (end.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Ending::Drain(std::optional<std::chrono::milliseconds> timeout) {
  if (wish_ != Wish::kServe) return;
  wish_ = Wish::kDrain;
  if (timeout) timeout_ = std::max(*timeout, std::chrono::milliseconds(0));
  if (drained_) report_ = *drained_;  // the daemon was first, and nothing has come since
}

void Ending::OnConnecting(Time now) {
  told_ = Wish::kServe;
  open_ = was_open_ = false;
  give_up_ = now + kOpenTimeout;
}

void Ending::OnOpened(Time now) {
  told_ = Wish::kServe;  // a drain that was asked for meanwhile is told now
  open_ = was_open_ = opened_ = true;
  opened_at_ = last_connected_ = now;
  give_up_ = now + kForever;
  deadline_.reset();
  drained_.reset();
}

void Ending::OnDraining(WallTime deadline, WallTime wall_now, Time now) {
  deadline_ = deadline;
  if (told_ != Wish::kStop) give_up_ = now + (deadline - wall_now) + kDrainGrace;
}

void Ending::OnDrained(const DrainReport& report) {
  drained_ = report;
  if (wish_ == Wish::kDrain) report_ = report;
}

void Ending::OnEnded(Time now) {
  if (open_) last_connected_ = now;
  open_ = false;
}

Ending::Step Ending::Tell(Time now) {
  told_ = wish_;
  if (wish_ == Wish::kServe) return Step::kNothing;
  if (wish_ == Wish::kStop) {
    give_up_ = now + kStopTimeout;
    return Step::kHalfClose;
  }
  if (open_) {
    give_up_ = now + timeout_.value_or(kDrainDefault) + kDrainGrace;
    return Step::kDrain;
  }
  give_up_ = std::min(give_up_, now + kStopTimeout);  // it may be about to open, and then drains in good order
  return Step::kNothing;
}

void Ending::OnCancelled(Time now) {
  give_up_ = now + kForever;
  if (wish_ == Wish::kDrain) wish_ = Wish::kStop;  // the drain has had its time
  told_ = wish_;
}

bool Ending::IsLast(const grpc::Status& end, Time now) const {
  if (wish_ == Wish::kStop || IsPermanent(end)) return true;
  return wish_ == Wish::kDrain && NothingToAwait(now);
}

bool Ending::NothingToAwait(Time now) const {
  return report_.completed || !opened_ || drained_ || now - last_connected_ > kResumeWindow;
}

Ending::Time Ending::RetryAt(std::chrono::milliseconds backoff, Time now) const {
  const Time at = now + backoff;
  // A drain whose time is up must not sit out a backoff of its own.
  return wish_ == Wish::kDrain ? std::min(at, last_connected_ + kResumeWindow) : at;
}

bool Ending::StillKept(WallTime wall_now, Time now) const {
  const bool by_drain = drained_ || (deadline_ && wall_now >= *deadline_);
  return !by_drain && now - last_connected_ < kResumeWindow;
}

}  // namespace sluice::internal
