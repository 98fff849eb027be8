#pragma once

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "core/daemon.h"
#include "rpc/unary_call.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::rpc {

// The calls of AdminService.WaitDrained: any number of them, which may leave at any time, behind one callback of
// core's, which cannot be taken back. Owned by AdminService, and weakly by that callback. Loop only.
class DrainWaiters {
 public:
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void OnDrained(const core::Daemon::Report& report) = 0;
  };

  void Add(Waiter* waiter);  // tells it at once if the drain is over
  void Remove(Waiter* waiter) { waiters_.erase(waiter); }
  void OnDrained(const core::Daemon::Report& report);

 private:
  absl::flat_hash_set<Waiter*> waiters_;
  std::optional<core::Daemon::Report> report_;
};

class AdminService;

// One call of AdminService.WaitDrained.
class WaitDrainedCall final : public UnaryCall<v1::WaitDrainedRequest, v1::WaitDrainedResponse>,
                              public DrainWaiters::Waiter {
 public:
  // Asks gRPC for a call. `waiters` outlives all calls.
  static void AskFor(AdminService* service, CallShared* shared, DrainWaiters* waiters);

  void OnDrained(const core::Daemon::Report& report) override;

 private:
  WaitDrainedCall(AdminService* service, CallShared* shared, DrainWaiters* waiters)
      : UnaryCall(shared), service_(service), waiters_(waiters) {}

  // --- UnaryCall ---
  void AskForNext() override { AskFor(service_, shared(), waiters_); }
  void Answer() override;
  void OnEnd() override { waiters_->Remove(this); }

  AdminService* const service_;
  DrainWaiters* const waiters_;
};

}  // namespace sluice::rpc
