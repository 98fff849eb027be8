#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/verdict.h"

namespace sluice::internal {

// JetStream's names for one message. The sequence alone may mean another one after a stream was made anew.
struct Identity {
  uint64_t sequence;
  int64_t stored_ns;
  bool operator==(const Identity&) const = default;
};

// A verdict that was given, and by which name it was or could have been told.
struct Given {
  Identity message;
  uint64_t id;
  uint32_t stream;
  Verdict verdict;
  std::string token;
};

// The last verdicts, to be found by their message. A ring; those with the same hash are chained from the newest to the
// older. Each takes over what the one before in its place had allocated, so that remembering one costs a few stores. No
// threads; guarded by the Session's mutex.
class VerdictMemory {
 public:
  explicit VerdictMemory(size_t capacity);

  // Takes the place of the oldest, if it is full.
  void Remember(const Identity& message, uint64_t id, uint32_t stream, const Verdict& verdict, std::string_view token);
  // The newest verdict on a message; null: none is remembered.
  const Given* Find(const Identity& message) const;

  size_t size() const { return ring_.size(); }
  // 0: the oldest.
  Given& operator[](size_t i) { return ring_[Slot(count_ - ring_.size() + i)].given; }
  const Given& operator[](size_t i) const { return ring_[Slot(count_ - ring_.size() + i)].given; }

 private:
  // Ordinals count from 1, over all that were remembered.
  struct Entry {
    Given given;
    uint64_t older;  // ordinal of the next in its chain; 0, or of one that is forgotten: it ends here
  };

  size_t Slot(uint64_t index) const { return index % capacity_; }
  size_t ChainOf(uint64_t sequence) const { return sequence & (newest_.size() - 1); }

  const size_t capacity_;
  std::vector<Entry> ring_;
  std::vector<uint64_t> newest_;  // ordinal of the first in each chain
  uint64_t count_ = 0;
};

}  // namespace sluice::internal
