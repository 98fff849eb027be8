#pragma once

#include <cstdint>
#include <vector>

#include "core/consumer.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "rpc/consume_stream.h"
#include "rpc/open_calls.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

// One call of ConsumerService.Fetch. Its reactions post, and OnDone's task deletes it, as in ConsumeStream. What it
// fetched goes back if gRPC says at the end that the caller went away before the response was sent.
class FetchCall final : public grpc::ServerUnaryReactor, public OpenCalls::Call {
 public:
  // On gRPC's thread. All three live until OnDone.
  static FetchCall* Start(grpc::CallbackServerContext* context, ConsumeShared* shared, const v1::FetchRequest* request,
                          v1::FetchResponse* response);

  // --- reactions: gRPC's threads ---
  void OnCancel() override;
  void OnDone() override;

  // --- OpenCalls::Call ---
  void Abort(const absl::Status& reason) override;

 private:
  FetchCall(grpc::CallbackServerContext* context, ConsumeShared* shared, const v1::FetchRequest* request,
            v1::FetchResponse* response)
      : context_(context), shared_(shared), request_(request), response_(response) {}

  void Begin();
  absl::Status Fetch();
  void OnFetched(const core::FetchResult& result);
  void End(const absl::Status& status);
  void HandleDone(bool lost);

  grpc::CallbackServerContext* const context_;
  ConsumeShared* const shared_;
  const v1::FetchRequest* const request_;
  v1::FetchResponse* const response_;

  // Loop only.
  core::Consumer* consumer_ = nullptr;
  uint64_t call_ = 0;  // in core, while it waits there
  bool ended_ = false;
  std::vector<uint64_t> ids_;  // fetched
};

}  // namespace sluice::rpc
