#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace sluice::internal {

// Waiting times between attempts: none before the first, then doubling from `first` to `longest`, each shortened by up
// to a quarter at random so that a fleet does not knock in step. Not thread-safe.
class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), random_(std::random_device{}()) {}

  Duration Next() {
    const Duration wait = next_;
    next_ = std::min(std::max(next_ * 2, first_), longest_);
    return std::chrono::duration_cast<Duration>(wait * std::uniform_real_distribution<>(0.75, 1.0)(random_));
  }
  void Reset() { next_ = Duration::zero(); }
  // From `first` again.
  void Restart() { next_ = first_; }

 private:
  const Duration first_;
  const Duration longest_;
  Duration next_ = Duration::zero();
  std::minstd_rand random_;
};

}  // namespace sluice::internal
