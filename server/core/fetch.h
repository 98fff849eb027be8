#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/delivery.h"
#include "core/session.h"

namespace sluice::core {

// A call of ConsumerService.Fetch; within its limits.
struct FetchRequest {
  uint32_t batch = 1;                           // messages, 1..OpenRequest::kMaxBatch
  absl::Duration max_wait = absl::Seconds(5);   // for the first message, 0..kMostWait; 0: what is there at once
  uint64_t max_bytes = kMostBytes;              // of subjects, headers and data, 1..kMostBytes
  absl::Duration lease = absl::ZeroDuration();  // to settle them in; 0: the consumer's ack wait
  static constexpr absl::Duration kMostWait = absl::Minutes(1);
  static constexpr uint64_t kMostBytes = uint64_t{4} << 20;  // what a gRPC client takes unless told otherwise
  static constexpr absl::Duration kLeastLease = absl::Milliseconds(100);
};

// Its answer.
struct FetchResult {
  absl::Status status;
  absl::Span<const Delivery* const> deliveries;  // ascending; for the time of the callback
  absl::Duration lease;                          // in force
  ConsumerState state;                           // why there may be none
  std::string state_detail;
};
using FetchCallback = absl::AnyInvocable<void(const FetchResult&)>;

// A Fetch that waits: the app stream of a session whose credit is what the call may still take, so that nothing is
// pulled beyond that, and streams and calls get their messages in turn. Owned by UnaryAccess. Loop only.
//
//   WAITING --a message--> FILLING --full, quiet, the deadline--> done
//      '------------the deadline, a drain------------------------'
class Fetch final : public AppStream {
 public:
  // How long `max_wait: 0` waits for the server's answer: nothing that comes later was there.
  static constexpr absl::Duration kAtOnce = absl::Milliseconds(100);
  // Full or not, it is answered when nothing more has come for so long: the rest of a backlog comes at once.
  static constexpr absl::Duration kQuiet = absl::Milliseconds(10);
  // The same after its first message, in a trickle.
  static constexpr absl::Duration kMostFilling = absl::Milliseconds(100);
  // What a message adds to a response beside its content: numbers, the token, and the marks of protobuf.
  static constexpr uint64_t kOverhead = 512;

  // `done` is called once, never from within a call of core's.
  Fetch(base::Timers* timers, const FetchRequest& request, absl::AnyInvocable<void()> done);

  // What to open its session with.
  OpenRequest ToOpen() const;
  // Null once the consumer has ended it.
  void set_session(Session* session) { session_ = session; }
  Session* session() const { return session_; }

  // AppStream
  bool writable() const override { return true; }
  void Deliver(absl::Span<const Delivery* const> batch) override;
  void Tell(Notice notice) override;
  void Finish(absl::Status status) override;

 private:
  void EndSoon();

  const FetchRequest request_;
  const absl::Time deadline_;
  absl::AnyInvocable<void()> done_;
  Session* session_ = nullptr;
  uint32_t messages_ = 0;
  uint64_t bytes_ = 0;
  absl::Time filled_by_ = absl::InfiniteFuture();
  base::Timers* const timers_;
  base::Timer timer_;
};

}  // namespace sluice::core
