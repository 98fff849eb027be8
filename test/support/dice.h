#pragma once

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace sluice::test {

// All the chance there is in a simulation, from one seed: the same seed, the same throws. Standard distributions are
// not used, as their results differ between libraries.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15 + 1) {}

  uint64_t Seed() { return engine_(); }
  // Both ends included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return absl::Microseconds(Between(absl::ToInt64Microseconds(low), absl::ToInt64Microseconds(high)));
  }
  bool Chance(double probability) { return static_cast<double>(engine_() >> 11) < probability * 0x1p53; }
  template <typename Container>
  auto& Pick(Container& container) {
    return container[engine_() % container.size()];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice::test
