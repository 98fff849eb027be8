#include "app/dev/pace.h"

#include <algorithm>

namespace sluice::dev {

uint64_t Pace::Due(absl::Time now, uint64_t published, uint64_t unconfirmed, uint64_t acked) {
  const uint64_t room = kMostUnconfirmed - std::min(unconfirmed, kMostUnconfirmed);
  if (rate_ == 0) {
    const uint64_t ahead = published - std::min(acked, published);
    return std::min(room, kMostAhead - std::min(ahead, kMostAhead));
  }
  const double rate = static_cast<double>(rate_);
  const double most = std::max(1.0, rate * absl::ToDoubleSeconds(kMostArrears));
  owed_ = std::min(most, owed_ + rate * absl::ToDoubleSeconds(now - last_));
  last_ = now;
  const uint64_t due = std::min(room, static_cast<uint64_t>(owed_));
  owed_ -= static_cast<double>(due);
  return due;
}

}  // namespace sluice::dev
