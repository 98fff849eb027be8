#pragma once

#include <mutex>
#include <utility>
#include <vector>

namespace sluice::base {

// Values from foreign threads for one reader, taken in batches. The only lock on a message's way: held for one push, or
// for one swap per batch. The two vectors keep their capacity, so that a steady flow allocates nothing.
template <typename T>
class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. True if it was empty: whoever gets true wakes the reader, nobody else has to.
  bool Push(T value) {
    std::lock_guard lock(mutex_);
    const bool was_empty = values_.empty();
    values_.push_back(std::move(value));
    return was_empty;
  }

  // The reader. Replaces `batch` by all that has come, in order.
  void Take(std::vector<T>& batch) {
    batch.clear();
    std::lock_guard lock(mutex_);
    values_.swap(batch);
  }

 private:
  // Of std, as the thread sanitizer sees nothing of a distribution's Abseil.
  std::mutex mutex_;
  std::vector<T> values_;  // guarded by mutex_
};

}  // namespace sluice::base
