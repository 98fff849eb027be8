#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace sluice::core {

// How long something took, counted by upper bounds that suit handlers and servers alike. One observation is a few
// comparisons and two additions. Loop only; copied for whoever shows it.
class Histogram {
 public:
  static constexpr std::array<absl::Duration, 11> kBounds = {
      absl::Milliseconds(5),    absl::Milliseconds(10),  absl::Milliseconds(25),  absl::Milliseconds(50),
      absl::Milliseconds(100),  absl::Milliseconds(250), absl::Milliseconds(500), absl::Seconds(1),
      absl::Milliseconds(2500), absl::Seconds(5),        absl::Seconds(10)};

  void Observe(absl::Duration took) {
    size_t bucket = 0;
    while (bucket < kBounds.size() && took > kBounds[bucket]) ++bucket;
    ++counts_[bucket];
    sum_ += took;
  }

  // Of what took at most kBounds[bucket], and more than the bound before; the last one: longer than all bounds.
  uint64_t count(size_t bucket) const { return counts_[bucket]; }
  absl::Duration sum() const { return sum_; }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  absl::Duration sum_;
};

}  // namespace sluice::core
