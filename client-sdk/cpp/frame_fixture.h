#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client-sdk/cpp/frame.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::testing {

// As gRPC hands out what it has read: in blocks of any size.
inline grpc::ByteBuffer InBlocks(const std::string& bytes, size_t block_bytes = 16 << 10) {
  std::vector<grpc::Slice> blocks;
  for (size_t at = 0; at < bytes.size(); at += block_bytes) blocks.emplace_back(bytes.substr(at, block_bytes));
  return {blocks.data(), blocks.size()};
}

inline std::shared_ptr<internal::Frame> ReadFrame(std::shared_ptr<internal::Session> session,
                                                  const v1::ConsumeResponse& response) {
  auto frame = std::make_shared<internal::Frame>(std::move(session));
  grpc::ByteBuffer bytes = InBlocks(response.SerializeAsString());
  EXPECT_EQ(frame->Read(bytes), internal::ResponseKind::kDeliveries);
  return frame;
}

}  // namespace sluice::testing
