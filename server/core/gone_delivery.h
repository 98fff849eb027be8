#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/delivery.h"
#include "core/delivery_token.h"

namespace sluice::core {

// Of a delivery that is here no more: what it takes to pass on an ACK on it, and to find what has come again of its
// message.
struct GoneDelivery {
  GoneDelivery() = default;
  explicit GoneDelivery(const Delivery& delivery)
      : reply(delivery.message.reply),
        stream_sequence(delivery.stream_sequence()),
        consumer_created_ns(delivery.consumer_created_ns) {
    if (delivery.key.size() <= DeliveryToken::kMostKey) key = std::string(delivery.key);
  }
  explicit GoneDelivery(DeliveryToken token)
      : reply(std::move(token.reply)),
        key(std::move(token.key)),
        stream_sequence(token.stream_sequence),
        consumer_created_ns(token.consumer_created_ns) {}

  std::string reply;  // the ack subject
  std::string key;    // with an ordering, unless it is longer than a token's: then nothing is found by it
  uint64_t stream_sequence = 0;
  int64_t consumer_created_ns = 0;  // of the durable that delivered it
};

}  // namespace sluice::core
