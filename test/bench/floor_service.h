#pragma once

#include <cstddef>

#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::bench {

// The floor: a bare gRPC stream of the same frames, with the same packed ids coming back, and nothing behind it. What a
// sidecar could reach if it did nothing but move bytes. It sends as long as no more than `window` messages are
// unanswered.
class FloorService final : public v1::ConsumerService::CallbackService {
 public:
  FloorService(size_t payload_bytes, size_t window) : payload_bytes_(payload_bytes), window_(window) {}

  grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* Consume(grpc::CallbackServerContext*) override;

 private:
  const size_t payload_bytes_;
  const size_t window_;
};

}  // namespace sluice::bench
