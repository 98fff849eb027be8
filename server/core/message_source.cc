#include "core/message_source.h"

#include <algorithm>

namespace sluice::core {

absl::Duration ConsumerInfo::AckWait(uint64_t num_delivered) const {
  if (backoff.empty()) return ack_wait;
  const size_t attempt = num_delivered > 0 ? num_delivered - 1 : 0;
  return backoff[std::min(attempt, backoff.size() - 1)];
}

}  // namespace sluice::core
