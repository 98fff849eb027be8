#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace sluice::rpc {

// The calls that only the daemon can end: gRPC's own shutdown would wait for them for ever. Owned by Server. Loop only.
class OpenCalls {
 public:
  class Call {
   public:
    virtual ~Call() = default;
    // Ends the call, if it does not end already.
    virtual void Abort(const absl::Status& reason) = 0;
  };

  // From the call's first moment to its last. A call that comes after Close() is aborted at once, and not waited for:
  // there may always be another one.
  void Add(Call* call);
  void Remove(Call* call);

  // Aborts all calls, and calls `closed` when the last one is gone. Once.
  void Close(absl::Status reason, absl::AnyInvocable<void()> closed);

  size_t size() const { return calls_.size(); }

 private:
  void NotifyIfClosed();

  absl::flat_hash_set<Call*> calls_;
  absl::Status reason_;                // OK: not closed
  absl::AnyInvocable<void()> closed_;  // null: not closed, or told already
};

}  // namespace sluice::rpc
