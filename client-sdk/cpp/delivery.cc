#include "client-sdk/cpp/delivery.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>

#include "sluice/v1/consumer.pb.h"

namespace sluice::internal {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr size_t kMostInFrame = 256;  // deliveries, by the contract

constexpr uint32_t Varint(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT); }
constexpr uint32_t Bytes(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// Reads the fields of one serialized message. Varints are read here, as CodedInputStream takes three times as long for
// all; like the generated code it takes at most 10 bytes for a number, and 5 for a tag or a length.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // `field` reads what follows each tag. False: malformed.
  template <typename F>
  bool ForEach(F field) {
    while (at_ != end_) {
      uint64_t tag = 0;
      if (!ReadVarint<5>(tag) || !field(static_cast<uint32_t>(tag))) return false;
    }
    return true;
  }

  bool Read(uint64_t& to) { return ReadVarint<10>(to); }
  bool Read(std::string_view& to) {
    uint64_t size = 0;
    if (!ReadVarint<5>(size) || size > static_cast<uint64_t>(end_ - at_)) return false;
    to = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  // What no contract of this client knows: rare, so it may take its time.
  bool Skip(uint32_t tag) {
    CodedInputStream rest(reinterpret_cast<const uint8_t*>(at_), static_cast<int>(end_ - at_));
    if (!WireFormatLite::SkipField(&rest, tag)) return false;
    at_ += rest.CurrentPosition();
    return true;
  }

 private:
  template <int kMostBytes>
  bool ReadVarint(uint64_t& to) {
    uint64_t value = 0;
    for (int i = 0; i < kMostBytes && at_ != end_; ++i) {
      const auto byte = static_cast<uint8_t>(*at_++);
      value |= uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) {
        to = value;
        return true;
      }
    }
    return false;
  }

  const char* at_;
  const char* const end_;
};

bool ReadTimestamp(std::string_view bytes, uint64_t& seconds, uint64_t& nanos) {
  using Field = google::protobuf::Timestamp;
  Fields fields(bytes);
  return fields.ForEach([&](uint32_t tag) {
    switch (tag) {
      case Varint(Field::kSecondsFieldNumber):
        return fields.Read(seconds);
      case Varint(Field::kNanosFieldNumber):
        if (!fields.Read(nanos)) return false;
        nanos = static_cast<uint64_t>(int64_t{static_cast<int32_t>(nanos)});
        return true;
      default:
        return fields.Skip(tag);
    }
  });
}

bool ReadHeader(std::string_view bytes, HeaderView& to) {
  Fields fields(bytes);
  return fields.ForEach([&](uint32_t tag) {
    switch (tag) {
      case Bytes(v1::Header::kNameFieldNumber):
        return fields.Read(to.name);
      case Bytes(v1::Header::kValueFieldNumber):
        return fields.Read(to.value);
      default:
        return fields.Skip(tag);
    }
  });
}

bool ReadDelivery(std::string_view bytes, DeliveryView& to, std::vector<HeaderView>& headers) {
  using Field = v1::Delivery;
  Fields fields(bytes);
  std::string_view inner;
  uint64_t seconds = 0;
  uint64_t nanos = 0;
  to.first_header = headers.size();
  const bool well_formed = fields.ForEach([&](uint32_t tag) {
    switch (tag) {
      case Varint(Field::kIdFieldNumber):
        return fields.Read(to.id);
      case Bytes(Field::kSubjectFieldNumber):
        return fields.Read(to.subject);
      case Bytes(Field::kHeadersFieldNumber):
        return fields.Read(inner) && ReadHeader(inner, headers.emplace_back());
      case Bytes(Field::kDataFieldNumber):
        return fields.Read(to.data);
      case Varint(Field::kStreamSequenceFieldNumber):
        return fields.Read(to.stream_sequence);
      case Varint(Field::kConsumerSequenceFieldNumber):
        return fields.Read(to.consumer_sequence);
      case Varint(Field::kNumDeliveredFieldNumber):
        return fields.Read(to.num_delivered);
      case Varint(Field::kNumPendingFieldNumber):
        return fields.Read(to.num_pending);
      case Bytes(Field::kTimestampFieldNumber):
        return fields.Read(inner) && ReadTimestamp(inner, seconds, nanos);
      case Bytes(Field::kKeyFieldNumber):
        return fields.Read(to.key);
      case Bytes(Field::kTokenFieldNumber):
        return fields.Read(to.token);
      default:
        return fields.Skip(tag);
    }
  });
  to.end_header = headers.size();
  to.stored_ns = static_cast<int64_t>(seconds * 1'000'000'000 + nanos);  // wraps, whatever was sent
  return well_formed;
}

bool ReadDeliveries(std::string_view bytes, std::vector<DeliveryView>& to, std::vector<HeaderView>& headers) {
  Fields fields(bytes);
  return fields.ForEach([&](uint32_t tag) {
    std::string_view inner;
    if (tag != Bytes(v1::Deliveries::kDeliveriesFieldNumber)) return fields.Skip(tag);
    if (!fields.Read(inner)) return false;
    // As many as there are, if all are as long as the first one.
    if (to.empty()) to.reserve(std::min(bytes.size() / (inner.size() + 1), kMostInFrame));
    return ReadDelivery(inner, to.emplace_back(), headers);
  });
}

}  // namespace

ResponseKind Decode(std::string_view bytes, std::vector<DeliveryView>& deliveries, std::vector<HeaderView>& headers) {
  using Kind = v1::ConsumeResponse;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return ResponseKind::kMalformed;
  Fields fields(bytes);
  std::string_view inner;
  ResponseKind kind = ResponseKind::kNotice;
  const bool well_formed = fields.ForEach([&](uint32_t tag) {
    switch (tag) {
      case Bytes(Kind::kDeliveriesFieldNumber):
        kind = ResponseKind::kDeliveries;
        return fields.Read(inner) && ReadDeliveries(inner, deliveries, headers);
      case Bytes(Kind::kOpenedFieldNumber):
      case Bytes(Kind::kSettleResultsFieldNumber):
      case Bytes(Kind::kStateFieldNumber):
      case Bytes(Kind::kLeasesEndedFieldNumber):
      case Bytes(Kind::kDrainingFieldNumber):
      case Bytes(Kind::kDrainedFieldNumber):
        kind = ResponseKind::kNotice;  // the last one counts
        deliveries.clear();
        return fields.Skip(tag);
      default:
        return fields.Skip(tag);
    }
  });
  return well_formed ? kind : ResponseKind::kMalformed;
}

}  // namespace sluice::internal
