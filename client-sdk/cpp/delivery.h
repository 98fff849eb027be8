#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::internal {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// What sluice.v1.Delivery says of one delivery, as views into the bytes that it came in.
struct DeliveryView {
  uint64_t id = 0;
  std::string_view subject;
  std::string_view data;
  std::string_view key;
  std::string_view token;
  uint64_t stream_sequence = 0;
  uint64_t consumer_sequence = 0;
  uint64_t num_delivered = 0;
  uint64_t num_pending = 0;
  int64_t stored_ns = 0;  // since 1970
  // Its own, of all headers that were decoded with it: [first_header, end_header).
  size_t first_header = 0;
  size_t end_header = 0;
};

// What a serialized ConsumeResponse is.
enum class ResponseKind : uint8_t { kDeliveries, kNotice, kMalformed };

// Decodes deliveries, the response that comes for every message, as the generated class would, but with nothing copied
// and nothing allocated for each. Of any other response it only says so. The views are valid as long as `bytes`.
ResponseKind Decode(std::string_view bytes, std::vector<DeliveryView>& deliveries, std::vector<HeaderView>& headers);

}  // namespace sluice::internal
