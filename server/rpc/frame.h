#pragma once

#include "absl/types/span.h"
#include "core/delivery.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

// The `Deliveries` response that all streams fill and serialize in turn, so that a steady flow allocates nothing and an
// idle stream keeps nothing. Loop only.
class Frame {
 public:
  // Valid until the next call.
  const v1::ConsumeResponse& Fill(absl::Span<const core::Delivery* const> batch);

 private:
  // Of one message's content; what is larger is freed at the next call. 256 such messages are 4 MiB.
  static constexpr size_t kMaxKept = 16 << 10;  // bytes

  v1::ConsumeResponse response_;
};

}  // namespace sluice::rpc
