#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "sluice/v1/consumer.pb.h"
#include "sluice/verdict.h"

namespace sluice::internal {

// Who waits to be told what became of a verdict, with `confirm`. What becomes due is returned, to be told without the
// Session's mutex, which guards this. No threads, no I/O.
class Confirmations {
 public:
  struct Waiter {
    uint64_t stream_sequence = 0;
    std::function<void(Outcome)> told;  // may be empty: only the hook wants to know
  };
  struct Due {
    Waiter waiter;
    Outcome outcome;
  };
  using Dues = std::vector<Due>;

  // An in_progress for `id` is written: it is answered too, before the verdict.
  void ExpectProgress(uint64_t id) { ++awaited_[id].progress; }
  // The verdict for `id` is written, or will be on the next stream that resumes it. If nothing will be told any more,
  // it is due at once.
  void Expect(uint64_t id, Waiter waiter, Dues& due);
  // The daemon's answer for one id.
  void OnResult(uint64_t id, Outcome outcome, Dues& due);
  // A new stream: what it has resumed, old id -> new id, is answered there; the rest was lost with the old one.
  void OnOpened(const std::unordered_map<uint64_t, uint64_t>& resumed, Dues& due);
  // Nothing will be told any more.
  void Close(Dues& due);

 private:
  struct Awaited {
    uint32_t progress = 0;  // answers to be skipped
    bool given = false;     // `waiter` waits
    Waiter waiter;
  };

  std::unordered_map<uint64_t, Awaited> awaited_;
  bool closed_ = false;
};

}  // namespace sluice::internal
