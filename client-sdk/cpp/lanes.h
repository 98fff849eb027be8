#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "client-sdk/cpp/frame.h"

namespace sluice::internal {

// Which message of a key may start: the next one only when the one before has left. A thread that takes several at once
// may have several of one key, as it works on them one after the other. No threads, no lock; guarded by the Inbox's
// mutex. Bounded by the credit.
class Lanes {
 public:
  struct Waiting {
    std::shared_ptr<Frame> frame;
    Held* held;
  };
  // Who takes messages together; 0 is nobody.
  using Taker = uint64_t;

  // Whether this message may start now; if not it waits here. Lane 0 is none.
  bool Enter(Waiting message, Taker taker);
  // The oldest that may start by now, of those that had to wait.
  std::optional<Waiting> Next(Taker taker);
  // What waits behind a message that its taker has just taken: the next of the same lane, to be taken with it.
  std::optional<Waiting> Behind(uint64_t lane);
  // A message that had started is done. True: another may start now.
  bool Leave(uint64_t lane);

  // There is something for Next().
  bool ready() const { return !ready_.empty(); }
  bool empty() const { return lanes_.empty(); }
  // Lets go of everything. The caller destroys what this returns, without the mutex.
  std::deque<Waiting> Clear();

 private:
  struct Lane {
    size_t running = 0;  // messages that have started
    Taker taker = 0;     // who has them
    std::deque<Waiting> waiting;
  };

  std::unordered_map<uint64_t, Lane> lanes_;  // with a message that runs or waits
  std::deque<uint64_t> ready_;                // lanes where none runs and some wait
};

}  // namespace sluice::internal
