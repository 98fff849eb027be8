#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sluice::base {

// Tells the time. Core knows no other; in the simulation it is a number that the test moves.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The machine's monotonic clock, set by the wall clock once, at construction: it reads as wall time for people and
// never jumps. Thread-safe.
class SteadyClock final : public Clock {
 public:
  SteadyClock();
  absl::Time Now() const override;

 private:
  const absl::Time wall_start_;
  const int64_t steady_start_ns_;
};

}  // namespace sluice::base
