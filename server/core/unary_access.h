#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/fetch.h"
#include "core/fetched.h"

namespace sluice::core {

class Consumer;

// Apps that call instead of streaming: Fetch takes messages, Settle says what became of them, from any connection.
// To the rest of core a call that waits is one more session, and all that was fetched is another. Owned by Consumer.
// Loop only; for rpc.
class UnaryAccess {
 public:
  UnaryAccess(Consumer* consumer, base::Timers* timers)
      : consumer_(consumer), timers_(timers), fetched_(consumer, timers) {}
  UnaryAccess(const UnaryAccess&) = delete;
  UnaryAccess& operator=(const UnaryAccess&) = delete;

  // Names the call; `callback` ends it, never from within this call. It answers with UNAVAILABLE if a drain came and
  // there is nothing; errors at once: the same while draining, RESOURCE_EXHAUSTED if ConsumerOptions::max_streams wait.
  absl::StatusOr<uint64_t> Fetch(const FetchRequest& request, FetchCallback callback);
  // Its caller is gone: what it got so far goes back at once, and it is not called back. Nothing if it has ended.
  void Cancel(uint64_t call);

  // The answer of a Fetch did not reach its caller: what is left of it goes back at once.
  void Return(absl::Span<const uint64_t> ids) { fetched_.Return(ids); }
  // `callback` comes within Fetched::kSettleTimeout, perhaps from within this call. CONFIRMED: the server has confirmed
  // it; an in-progress: its lease starts anew.
  void Settle(absl::Span<const SettleTarget> targets, const Settlement& settlement, SettleCallback callback) {
    fetched_.Settle(targets, settlement, std::move(callback));
  }

  // Of the consumer's sessions.
  size_t sessions() const { return waiting_.size() + fetched_.is_open(); }
  size_t waiting() const { return waiting_.size(); }

 private:
  absl::Duration LeaseFor(const FetchRequest& request) const;
  void End(uint64_t call);

  struct Waiting {
    std::unique_ptr<core::Fetch> fetch;
    FetchRequest request;
    FetchCallback callback;
  };

  Consumer* const consumer_;
  base::Timers* const timers_;
  Fetched fetched_;
  std::map<uint64_t, Waiting> waiting_;
  uint64_t last_call_ = 0;
};

}  // namespace sluice::core
