#include "client-sdk/cpp/frame.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <cstring>
#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {

Frame::Frame(std::shared_ptr<Session> session) : session(std::move(session)) {}

Frame::~Frame() { session->Forget(*this); }

ResponseKind Frame::Read(grpc::ByteBuffer& response) {
  bytes_ = std::make_unique_for_overwrite<char[]>(response.Length());
  grpc::ProtoBufferReader reader(&response);
  const void* block = nullptr;
  int length = 0;
  while (reader.Next(&block, &length)) {
    std::memcpy(bytes_.get() + size_, block, static_cast<size_t>(length));
    size_ += static_cast<size_t>(length);
  }
  if (!reader.status().ok()) return ResponseKind::kMalformed;
  const ResponseKind kind = Decode(bytes(), deliveries, headers);
  if (kind != ResponseKind::kDeliveries) return kind;
  held = std::vector<Held>(deliveries.size());
  for (size_t i = 0; i < held.size(); ++i) {
    held[i].delivery = &deliveries[i];
    held[i].id = deliveries[i].id;
  }
  return kind;
}

}  // namespace sluice::internal
