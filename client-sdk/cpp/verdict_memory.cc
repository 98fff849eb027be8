#include "client-sdk/cpp/verdict_memory.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::internal {

// Sequences that follow each other have chains of their own.
VerdictMemory::VerdictMemory(size_t capacity)
    : capacity_(std::max<size_t>(capacity, 1)), newest_(std::bit_ceil(capacity_), 0) {}

void VerdictMemory::Remember(const Identity& message, uint64_t id, uint32_t stream, const Verdict& verdict,
                             std::string_view token) {
  uint64_t& newest = newest_[ChainOf(message.sequence)];
  if (ring_.size() < capacity_) {
    ring_.push_back({Given{message, id, stream, verdict, std::string(token)}, newest});
  } else {
    Entry& oldest = ring_[Slot(count_)];
    oldest.given.message = message;
    oldest.given.id = id;
    oldest.given.stream = stream;
    oldest.given.verdict = verdict;
    oldest.given.token.assign(token);
    oldest.older = newest;
  }
  newest = ++count_;
}

const Given* VerdictMemory::Find(const Identity& message) const {
  const uint64_t forgotten = count_ - ring_.size();
  for (uint64_t ordinal = newest_[ChainOf(message.sequence)]; ordinal > forgotten;) {
    const Entry& entry = ring_[Slot(ordinal - 1)];
    if (entry.given.message == message) return &entry.given;
    ordinal = entry.older;
  }
  return nullptr;
}

}  // namespace sluice::internal
