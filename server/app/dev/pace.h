#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace sluice::dev {

// How many messages to publish now, for a steady rate, or for as much as the app can take. Pure.
class Pace {
 public:
  // Without a rate: how far publishing may be ahead of the app's acks.
  static constexpr uint64_t kMostAhead = 16'384;
  // Messages published and not yet confirmed.
  static constexpr uint64_t kMostUnconfirmed = 4'096;
  // What could not be published for longer than this, because JetStream was away, is not made up for.
  static constexpr absl::Duration kMostArrears = absl::Milliseconds(100);

  // `rate`: messages per second; 0: as fast as they are acked.
  Pace(uint64_t rate, absl::Time start) : rate_(rate), last_(start) {}

  // The caller publishes as many as this returns.
  uint64_t Due(absl::Time now, uint64_t published, uint64_t unconfirmed, uint64_t acked);

 private:
  const uint64_t rate_;
  absl::Time last_;
  double owed_ = 0;  // messages, by the rate
};

}  // namespace sluice::dev
