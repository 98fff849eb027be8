#pragma once

#include "absl/types/span.h"
#include "core/delivery.h"
#include "grpcpp/support/byte_buffer.h"

namespace sluice::rpc {

// Replaces `out` by the serialized ConsumeResponse with these deliveries. Written straight from core's words into the
// bytes that gRPC sends: by way of the generated message every payload would be copied once more, and a quarter of the
// daemon's work would go into filling in and reading out fields. frame_test.cc holds it to the generated code.
void WriteFrame(absl::Span<const core::Delivery* const> batch, grpc::ByteBuffer* out);

}  // namespace sluice::rpc
