#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace sluice::base {

// Waiting times that double from `first` to `most`, each shortened by up to a quarter at random so that a fleet does
// not knock in step. Seeded, so that the simulation replays.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration most, uint64_t seed)
      : first_(first), most_(most), next_(first), random_(seed) {}

  absl::Duration Next() {
    const absl::Duration wait = next_;
    next_ = std::min(next_ * 2, most_);
    return wait * absl::Uniform(random_, 0.75, 1.0);
  }
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration most_;
  absl::Duration next_;
  std::minstd_rand random_;
};

}  // namespace sluice::base
