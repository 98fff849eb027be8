#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace sluice::dev {

// Numbers from 1 that come roughly in order, each remembered for ever: all below some point, and a bitmap above it. So
// it stays small, however many there are. Not thread-safe.
class NumberSet {
 public:
  enum class Inserted { kNew, kKnown, kTooFar };

  // A number further above the least missing one is refused, which bounds the bitmap to 32 MiB.
  static constexpr uint64_t kMostAhead = uint64_t{1} << 28;

  Inserted Insert(uint64_t number);
  uint64_t size() const { return size_; }
  size_t words() const { return words_.size(); }

 private:
  static constexpr uint64_t kBits = 64;

  uint64_t base_ = 1;  // all below are in the set; the first bit of words_
  std::deque<uint64_t> words_;
  uint64_t size_ = 0;
};

}  // namespace sluice::dev
