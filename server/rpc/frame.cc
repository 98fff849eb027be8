#include "rpc/frame.h"

#include <cstdint>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "core/app_stream.h"
#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/support/slice.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::io::CodedOutputStream;

// What proto3 leaves out: 0, and empty bytes. All field numbers are below 16, so that a tag is one byte.
constexpr uint8_t Tag(int field, int wire_type) { return static_cast<uint8_t>(field << 3 | wire_type); }
constexpr int kVarint = 0;
constexpr int kLengthDelimited = 2;

// Counts bytes.
class Sizer {
 public:
  void Number(int, uint64_t value) {
    if (value != 0) size_ += 1 + CodedOutputStream::VarintSize64(value);
  }
  void Bytes(int, absl::string_view value) {
    if (value.empty()) return;
    Begin(value.size());
    Skip(value.size());
  }
  template <typename Fields>
  void Message(int, Fields fields) {
    Sizer inner;
    fields(inner);
    Begin(inner.size());
    Skip(inner.size());
  }
  // The tag and length before so many bytes.
  void Begin(size_t bytes) { size_ += 1 + CodedOutputStream::VarintSize64(bytes); }
  void Skip(size_t bytes) { size_ += bytes; }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

// Writes them to where there is room for as many.
class Writer {
 public:
  explicit Writer(uint8_t* to) : to_(to) {}

  void Number(int field, uint64_t value) {
    if (value == 0) return;
    *to_++ = Tag(field, kVarint);
    to_ = CodedOutputStream::WriteVarint64ToArray(value, to_);
  }
  void Bytes(int field, absl::string_view value) {
    if (value.empty()) return;
    Begin(field, value.size());
    std::memcpy(to_, value.data(), value.size());
    to_ += value.size();
  }
  template <typename Fields>
  void Message(int field, Fields fields) {
    Sizer inner;
    fields(inner);
    Begin(field, inner.size());
    fields(*this);
  }
  void Begin(int field, size_t bytes) {
    *to_++ = Tag(field, kLengthDelimited);
    to_ = CodedOutputStream::WriteVarint64ToArray(bytes, to_);
  }

 private:
  uint8_t* to_;
};

// As ToProto() in convert.h says it.
template <typename Sink>
void Put(const core::Delivery& delivery, Sink& sink) {
  constexpr int64_t kNanos = 1'000'000'000;
  const core::Message& message = delivery.message;
  sink.Number(v1::Delivery::kIdFieldNumber, delivery.id);
  sink.Bytes(v1::Delivery::kSubjectFieldNumber, message.subject);
  for (const core::Header& header : message.headers) {
    sink.Message(v1::Delivery::kHeadersFieldNumber, [&](auto& inner) {
      inner.Bytes(v1::Header::kNameFieldNumber, header.name);
      inner.Bytes(v1::Header::kValueFieldNumber, header.value);
    });
  }
  sink.Bytes(v1::Delivery::kDataFieldNumber, message.data);
  sink.Number(v1::Delivery::kStreamSequenceFieldNumber, message.stream_sequence);
  sink.Number(v1::Delivery::kConsumerSequenceFieldNumber, message.consumer_sequence);
  sink.Number(v1::Delivery::kNumDeliveredFieldNumber, delivery.attempt());
  sink.Number(v1::Delivery::kNumPendingFieldNumber, message.num_pending);
  const int64_t seconds = message.timestamp_ns / kNanos;
  sink.Message(v1::Delivery::kTimestampFieldNumber, [&](auto& inner) {
    inner.Number(Timestamp::kSecondsFieldNumber, static_cast<uint64_t>(seconds));
    inner.Number(Timestamp::kNanosFieldNumber, static_cast<uint64_t>(message.timestamp_ns - seconds * kNanos));
  });
  sink.Bytes(v1::Delivery::kKeyFieldNumber, delivery.key);
  sink.Bytes(v1::Delivery::kTokenFieldNumber, delivery.token);
}

}  // namespace

void WriteFrame(absl::Span<const core::Delivery* const> batch, grpc::ByteBuffer* out) {
  absl::InlinedVector<size_t, core::OpenRequest::kMaxBatch> sizes;
  Sizer all;
  for (const core::Delivery* delivery : batch) {
    Sizer one;
    Put(*delivery, one);
    sizes.push_back(one.size());
    all.Begin(one.size());
    all.Skip(one.size());
  }
  Sizer response;
  response.Begin(all.size());
  const grpc::Slice slice(response.size() + all.size());
  Writer writer(const_cast<uint8_t*>(slice.begin()));  // nobody else has it yet
  writer.Begin(v1::ConsumeResponse::kDeliveriesFieldNumber, all.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    writer.Begin(v1::Deliveries::kDeliveriesFieldNumber, sizes[i]);
    Put(*batch[i], writer);
  }
  grpc::ByteBuffer filled(&slice, 1);
  out->Swap(&filled);
}

}  // namespace sluice::rpc
