#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/consumer.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "rpc/consume_stream.h"
#include "rpc/open_calls.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

// One call of ConsumerService.Settle. Its reactions post, and OnDone's task deletes it, as in ConsumeStream; core may
// answer after that.
class SettleCall final : public grpc::ServerUnaryReactor, public OpenCalls::Call {
 public:
  // On gRPC's thread. `request` and `response` live until OnDone.
  static SettleCall* Start(ConsumeShared* shared, const v1::SettleRequest* request, v1::SettleResponse* response);

  // --- reactions: gRPC's threads ---
  void OnCancel() override;
  void OnDone() override;

  // --- OpenCalls::Call ---
  void Abort(const absl::Status& reason) override;

 private:
  SettleCall(ConsumeShared* shared, const v1::SettleRequest* request, v1::SettleResponse* response)
      : shared_(shared), request_(request), response_(response) {}

  void Begin();
  absl::Status Settle();
  std::vector<core::SettleTarget> ReadTokens(const core::Consumer& consumer);
  void OnSettled(const core::SettleAnswers& answers);
  void AddResult(core::SettleOutcome outcome, const std::vector<uint64_t>& positions, const std::string& detail);
  void End(const absl::Status& status);

  ConsumeShared* const shared_;
  const v1::SettleRequest* const request_;
  v1::SettleResponse* const response_;

  // Loop only.
  bool ended_ = false;
  std::vector<uint64_t> positions_;                                           // in the request, of what core was told
  std::shared_ptr<SettleCall*> alive_ = std::make_shared<SettleCall*>(this);  // core's callback holds it weakly
};

}  // namespace sluice::rpc
