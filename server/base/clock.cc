#include "base/clock.h"

#include <chrono>

namespace sluice::base {
namespace {

int64_t SteadyNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

SteadyClock::SteadyClock() : wall_start_(absl::Now()), steady_start_ns_(SteadyNanos()) {}

absl::Time SteadyClock::Now() const { return wall_start_ + absl::Nanoseconds(SteadyNanos() - steady_start_ns_); }

}  // namespace sluice::base
