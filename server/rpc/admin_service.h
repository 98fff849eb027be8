#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "rpc/drain_waiters.h"
#include "rpc/nats_status.h"
#include "rpc/server_call.h"
#include "sluice/v1/admin.grpc.pb.h"

namespace sluice::rpc {

// What people, probes and preStop hooks call. Owned by Server; answers from the loop.
class AdminService final : public v1::AdminService::AsyncService {
 public:
  struct Options {
    std::string version;
    absl::Duration drain_timeout;             // of a drain that names none
    std::function<NatsStatus()> nats_status;  // called on the loop
  };

  AdminService(Options options, CallShared* shared);

  // Asks gRPC for the first call of each method. Once the server is built, before the first drain.
  void Serve();

 private:
  absl::Status AnswerDrain(const v1::DrainRequest& request, v1::DrainResponse* response);
  absl::Status AnswerGetStatus(const v1::GetStatusRequest& request, v1::Status* response);

  const Options options_;
  CallShared* const shared_;
  const absl::Time started_;
  const std::shared_ptr<DrainWaiters> waiters_;  // loop only
};

}  // namespace sluice::rpc
