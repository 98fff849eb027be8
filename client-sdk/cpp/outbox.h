#pragma once

#include <cstdint>
#include <deque>

#include "sluice/v1/consumer.pb.h"
#include "sluice/verdict.h"

namespace sluice::internal {

// What is to be written to one stream, in order. One write is in flight at a time; verdicts queued meanwhile go out
// together in the next, as runs of packed ids. Bounded by the credit: a held message has one verdict, and at most one
// in_progress queued. Guarded by the Session's mutex.
class Outbox {
 public:
  enum class Step { kNothing, kWrite, kWritesDone };

  // Starts a new stream; what is left of the old one is forgotten.
  void Open(v1::ConsumeRequest open);

  void AddVerdict(uint64_t id, const Verdict& verdict);
  // Returns the ordinal of the request it goes with; see taken().
  uint64_t AddInProgress(uint64_t id);
  void Add(v1::ConsumeRequest request);
  // Half-closes the stream after what is queued.
  void Finish() { finish_ = true; }
  // Nothing can be written any more.
  void Close() { closed_ = true; }

  // What the caller must do now, outside the mutex: write request(), half-close, or nothing. Then Done(), when it is
  // done.
  Step Next();
  void Done() { in_flight_ = false; }
  bool in_flight() const { return in_flight_; }
  int back_ids() const { return back_ids_; }                      // in the last request that waits
  const v1::ConsumeRequest& request() const { return request_; }  // the one in flight
  uint64_t taken() const { return taken_; }                       // ordinal of the last request that Next() gave out

  // Most ids in one request: about 20 KiB, far below the limits of any server.
  static constexpr int kMaxIds = 4096;

 private:
  v1::Settle& BackSettle();
  uint64_t back() const { return taken_ + queue_.size(); }

  std::deque<v1::ConsumeRequest> queue_;
  int back_ids_ = 0;  // in the last request
  v1::ConsumeRequest request_;
  uint64_t taken_ = 0;
  bool in_flight_ = false;
  bool finish_ = false;
  bool finished_ = false;
  bool closed_ = true;
};

}  // namespace sluice::internal
