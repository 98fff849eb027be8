#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/timers.h"

namespace sluice::jetstream {

// Requests that wait for their answers: each ends exactly once, by an answer, by time, or by a failure. Thousands may
// wait at once (confirmed settlements), so that one sweep looks after the deadlines of all. Owned by Connection. Loop
// only.
class Requests {
 public:
  // The view is valid within the call. May start new requests.
  using Callback = absl::AnyInvocable<void(const absl::StatusOr<absl::string_view>& reply)>;

  static constexpr absl::Duration kSweep =
      absl::Milliseconds(50);  // how much later than its deadline a request may end

  explicit Requests(base::Timers* timers) : timers_(timers), sweep_(timers) {}

  // The id, from 1; ascending. `owner` is for Forget().
  uint64_t Add(const void* owner, absl::Duration timeout, Callback callback);
  // Does nothing if it has ended before: a late answer.
  void End(uint64_t id, const absl::StatusOr<absl::string_view>& reply);
  // In the order in which they were added.
  void EndAll(const absl::Status& status);
  // Drops the owner's requests without a call.
  void Forget(const void* owner);

  size_t size() const { return pending_.size(); }

 private:
  struct Pending {
    const void* owner;
    absl::Time deadline;
    Callback callback;
  };

  void Arm();
  void Sweep();

  base::Timers* const timers_;
  base::Timer sweep_;
  uint64_t last_id_ = 0;
  absl::flat_hash_map<uint64_t, Pending> pending_;
};

}  // namespace sluice::jetstream
