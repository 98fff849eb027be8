#include "core/redelivery.h"

#include <algorithm>
#include <cmath>

#include "absl/random/distributions.h"

namespace sluice::core {

absl::Duration Redelivery::DelayAfter(uint64_t attempt, absl::Duration asked, int64_t max_ack_pending) {
  const absl::Duration delay = asked > absl::ZeroDuration() ? asked : ByPolicy(attempt);
  if (delay <= kShortDelay || max_ack_pending <= 0) return delay;
  if (!MayWaitLong(max_ack_pending)) return kShortDelay;
  long_delays_.push(timers_->now() + delay);
  return delay;
}

absl::Duration Redelivery::ByPolicy(uint64_t attempt) {
  const uint64_t step = std::max<uint64_t>(attempt, 1) - 1;
  if (!policy_.backoff.empty()) return policy_.backoff[std::min<uint64_t>(step, policy_.backoff.size() - 1)];
  if (!policy_.initial.has_value()) return absl::ZeroDuration();
  const absl::Duration most = policy_.max.value_or(RedeliveryPolicy::kMax);
  const double factor = policy_.factor.value_or(RedeliveryPolicy::kFactor);
  const double jitter = policy_.jitter.value_or(RedeliveryPolicy::kJitter);
  // In seconds of a double, which become infinite rather than wrap around.
  const absl::Duration delay =
      absl::Seconds(absl::ToDoubleSeconds(*policy_.initial) * std::pow(factor, static_cast<double>(step)));
  return std::min(std::min(delay, most) * absl::Uniform(absl::IntervalClosed, random_, 1 - jitter, 1 + jitter), most);
}

bool Redelivery::MayWaitLong(int64_t max_ack_pending) {
  while (!long_delays_.empty() && long_delays_.top() <= timers_->now()) long_delays_.pop();
  return long_delays_.size() * 100 < static_cast<uint64_t>(max_ack_pending) * policy_.delayed_share;
}

}  // namespace sluice::core
