#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/event_loop.h"
#include "core/daemon.h"
#include "rpc/drain_waiters.h"
#include "rpc/nats_status.h"
#include "rpc/open_calls.h"
#include "sluice/v1/admin.grpc.pb.h"

namespace sluice::rpc {

// What people, probes and preStop hooks call. Owned by Server; called on gRPC's threads, answers from the loop.
class AdminService final : public v1::AdminService::CallbackService {
 public:
  struct Options {
    std::string version;
    absl::Duration drain_timeout;             // of a drain that names none
    std::function<NatsStatus()> nats_status;  // called on the loop
  };

  // The calls that wait are in `calls`, which outlives the service, as do the others.
  AdminService(Options options, base::EventLoop* loop, core::Daemon* daemon, OpenCalls* calls);

  // Subscribes to the daemon. On the loop, before the first drain.
  void Start();

  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const v1::DrainRequest* request,
                                  v1::DrainResponse* response) override;
  grpc::ServerUnaryReactor* WaitDrained(grpc::CallbackServerContext* context, const v1::WaitDrainedRequest* request,
                                        v1::WaitDrainedResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest* request,
                                      v1::Status* response) override;

 private:
  grpc::Status HandleDrain(const v1::DrainRequest& request, v1::DrainResponse* response);
  void FillStatus(v1::Status* response);

  const Options options_;
  base::EventLoop* const loop_;
  core::Daemon* const daemon_;  // loop only
  OpenCalls* const calls_;      // loop only
  const absl::Time started_;
  const std::shared_ptr<DrainWaiters> waiters_;  // loop only
};

}  // namespace sluice::rpc
