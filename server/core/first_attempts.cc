#include "core/first_attempts.h"

namespace sluice::core {

void FirstAttempts::Note(const Message& message, absl::Time time) {
  const auto [it, is_new] = first_.try_emplace(message.stream_sequence, First{message.timestamp_ns, time});
  if (!is_new) {
    if (it->second.timestamp_ns != message.timestamp_ns) it->second = {message.timestamp_ns, time};
    return;
  }
  in_order_.push_back(message.stream_sequence);
  if (in_order_.size() <= kMostKept) return;
  first_.erase(in_order_.front());
  in_order_.pop_front();
}

absl::Time FirstAttempts::Find(const Message& message, absl::Time otherwise) const {
  const auto it = first_.find(message.stream_sequence);
  const bool known = it != first_.end() && it->second.timestamp_ns == message.timestamp_ns;
  return known ? it->second.time : otherwise;
}

void FirstAttempts::Forget(const Message& message) {
  if (!first_.empty()) first_.erase(message.stream_sequence);
}

}  // namespace sluice::core
