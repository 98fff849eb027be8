#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "base/timers.h"

namespace sluice::core {

// When a failed message is tried again: after the steps of `backoff`, or after `initial` and from there on later and
// later, or at once. By default without end.
struct RedeliveryPolicy {
  std::vector<absl::Duration> backoff;    // by failed attempts, the last one for all later ones
  std::optional<absl::Duration> initial;  // after the first failure
  std::optional<double> factor;           // from one delay to the next, 1 to 100; absent: 2
  std::optional<absl::Duration> max;      // the longest; absent: 5 min
  std::optional<double> jitter;           // each is longer or shorter by up to this part of it, 0 to 1; absent: 0.2
  uint64_t max_attempts = 0;              // then it is not tried again from here; 0: no limit
  uint32_t delayed_share = 50;            // most of max_ack_pending that waits for long, in percent

  static constexpr double kFactor = 2;
  static constexpr absl::Duration kMax = absl::Minutes(5);
  static constexpr double kJitter = 0.2;
};

// The delays of one consumer's failed messages. JetStream's own BackOff is for ack waits that run out, and does nothing
// for a NAK. Owned by Consumer. Loop only.
//
// A message that waits for its next attempt still counts for max_ack_pending, whether JetStream keeps it or we do. So
// that many failing messages cannot stall the healthy ones behind them, no more than `delayed_share` of max_ack_pending
// wait for long at a time: beyond it a delay is cut to kShortDelay. (Keeping them here would not help: only a verdict
// frees a place. NAKing them at once would not either: redeliveries go first, so they would take all of the apps'
// time.) The share is counted per daemon; pods that share a durable have to share it as well.
class Redelivery {
 public:
  static constexpr absl::Duration kShortDelay = absl::Seconds(1);

  Redelivery(base::Timers* timers, const RedeliveryPolicy& policy, uint64_t seed)
      : timers_(timers), policy_(policy), random_(static_cast<uint32_t>(seed)) {}

  // No further attempt after this one, the how many-th it is, from 1.
  bool IsLast(uint64_t attempt) const { return policy_.max_attempts > 0 && attempt >= policy_.max_attempts; }
  // How long the message waits from now on, as `attempt` of it has failed. `asked`: by the app; 0: it did not.
  absl::Duration DelayAfter(uint64_t attempt, absl::Duration asked, int64_t max_ack_pending);

 private:
  absl::Duration ByPolicy(uint64_t attempt);
  bool MayWaitLong(int64_t max_ack_pending);

  base::Timers* const timers_;
  const RedeliveryPolicy policy_;
  std::minstd_rand random_;
  std::priority_queue<absl::Time, std::vector<absl::Time>, std::greater<>> long_delays_;  // by their ends
};

}  // namespace sluice::core
