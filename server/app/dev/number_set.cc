#include "app/dev/number_set.h"

namespace sluice::dev {

NumberSet::Inserted NumberSet::Insert(uint64_t number) {
  if (number < base_) return Inserted::kKnown;
  const uint64_t offset = number - base_;
  if (offset >= kMostAhead) return Inserted::kTooFar;
  if (offset / kBits >= words_.size()) words_.resize(offset / kBits + 1);
  uint64_t& word = words_[offset / kBits];
  const uint64_t bit = uint64_t{1} << (offset % kBits);
  if ((word & bit) != 0) return Inserted::kKnown;
  word |= bit;
  ++size_;
  while (!words_.empty() && words_.front() == ~uint64_t{0}) {
    words_.pop_front();
    base_ += kBits;
  }
  return Inserted::kNew;
}

}  // namespace sluice::dev
