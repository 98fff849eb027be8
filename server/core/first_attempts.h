#pragma once

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/message.h"

namespace sluice::core {

// When this daemon first had messages that have failed since, for the dead letters that they may become. Bounded: the
// oldest are forgotten first. Loop only.
class FirstAttempts {
 public:
  static constexpr size_t kMostKept = 16'384;  // messages; about 1 MB

  // It failed, and was received at `time`. The first time counts.
  void Note(const Message& message, absl::Time time);
  // `otherwise` if it is not known.
  absl::Time Find(const Message& message, absl::Time otherwise) const;
  // It will not fail again.
  void Forget(const Message& message);

  size_t size() const { return first_.size(); }

 private:
  struct First {
    int64_t timestamp_ns;  // of the message: a stream that was made anew counts from 1 again
    absl::Time time;
  };

  absl::flat_hash_map<uint64_t, First> first_;  // by stream sequence
  std::deque<uint64_t> in_order_;               // of their notes, with some that are forgotten
};

}  // namespace sluice::core
