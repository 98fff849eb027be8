#pragma once

#include <cstdint>

namespace sluice::core {

// What a consumer has counted since the start of the daemon; see sluice.v1.ConsumerCounts.
struct Counters {
  uint64_t received = 0;
  uint64_t delivered = 0;
  uint64_t redelivered = 0;
  uint64_t acked = 0;
  uint64_t naked = 0;
  uint64_t terminated = 0;
  uint64_t released = 0;
  uint64_t late = 0;
  uint64_t not_held = 0;
  uint64_t leases_extended = 0;
  uint64_t leases_ended = 0;
  uint64_t pulls = 0;
  uint64_t dead_lettered = 0;
  uint64_t dead_letter_failures = 0;
};

}  // namespace sluice::core
