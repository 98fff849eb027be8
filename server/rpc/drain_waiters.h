#pragma once

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "base/event_loop.h"
#include "core/daemon.h"
#include "grpcpp/support/server_callback.h"
#include "rpc/open_calls.h"
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

// One call of AdminService.WaitDrained. Its reactions post, and OnDone's task deletes it, as in ConsumeStream.
class WaitDrainedCall final : public grpc::ServerUnaryReactor, public DrainWaiters::Waiter, public OpenCalls::Call {
 public:
  struct Shared {
    base::EventLoop* const loop;
    core::Daemon* const daemon;
    OpenCalls* const calls;
    DrainWaiters* const waiters;
  };

  // On gRPC's thread. `response` lives until OnDone.
  static WaitDrainedCall* Start(const Shared& shared, v1::WaitDrainedResponse* response);

  void OnCancel() override;
  void OnDone() override;

  void OnDrained(const core::Daemon::Report& report) override;
  void Abort(const absl::Status& reason) override;

 private:
  WaitDrainedCall(const Shared& shared, v1::WaitDrainedResponse* response) : shared_(shared), response_(response) {}

  void Wait();
  void End(const absl::Status& status);

  const Shared shared_;
  v1::WaitDrainedResponse* const response_;
  bool ended_ = false;  // loop only
};

}  // namespace sluice::rpc
