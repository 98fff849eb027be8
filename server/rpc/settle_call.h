#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/consumer.h"
#include "rpc/unary_call.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

class ConsumerService;

// One call of ConsumerService.Settle. If the caller goes away, what it has said stands; core may answer after that.
class SettleCall final : public UnaryCall<v1::SettleRequest, v1::SettleResponse> {
 public:
  // Asks gRPC for a call.
  static void AskFor(ConsumerService* service, CallShared* shared);

 private:
  SettleCall(ConsumerService* service, CallShared* shared) : UnaryCall(shared), service_(service) {}

  // --- UnaryCall ---
  void AskForNext() override { AskFor(service_, shared()); }
  void Answer() override;

  absl::Status Settle();
  std::vector<core::SettleTarget> ReadTokens(const core::Consumer& consumer);
  void OnSettled(const core::SettleAnswers& answers);
  void AddResult(core::SettleOutcome outcome, const std::vector<uint64_t>& positions, const std::string& detail);

  ConsumerService* const service_;

  std::vector<uint64_t> positions_;                                           // in the request, of what core was told
  std::shared_ptr<SettleCall*> alive_ = std::make_shared<SettleCall*>(this);  // core's callback holds it weakly
};

}  // namespace sluice::rpc
