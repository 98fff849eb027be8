#pragma once

#include "grpcpp/support/async_stream.h"
#include "rpc/health_service.h"
#include "rpc/server_call.h"

namespace sluice::rpc {

// One call of Health.Watch: told the status at first and when it has changed; if the caller does not read, only the
// last one waits.
class HealthWatch final : public ServerCall {
 public:
  // Asks gRPC for a call.
  static void AskFor(HealthService* service, CallShared* shared);

  // The status may have changed.
  void Tell();

  // --- OpenCalls::Call ---
  void Abort(const absl::Status& reason) override { End(reason); }

 private:
  HealthWatch(HealthService* service, CallShared* shared) : ServerCall(shared), service_(service), writer_(context()) {}

  // --- ServerCall ---
  void AskForNext() override { AskFor(service_, shared()); }
  void Begin() override;
  void OnGone() override { End(absl::CancelledError("the caller is gone")); }
  void OnOver(bool) override { service_->Remove(this); }

  void OnWritten(bool ok);  // reaction, on gRPC's side
  void HandleWrite();

  void End(const absl::Status& status);
  void FinishCall();

  HealthService* const service_;
  HealthService::Request request_;  // gRPC's until the call has arrived, then the loop's
  grpc::ServerAsyncWriter<HealthService::Response> writer_;
  Reaction<HealthWatch> written_{this, &HealthWatch::OnWritten};

  // Loop only.
  HealthService::Response told_;  // last; UNKNOWN: nothing yet
  bool writing_ = false;          // a Write() has not been answered
  bool ended_ = false;
  grpc::Status status_;  // once ended
};

}  // namespace sluice::rpc
