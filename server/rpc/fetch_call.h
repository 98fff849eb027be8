#pragma once

#include <cstdint>
#include <vector>

#include "core/consumer.h"
#include "rpc/unary_call.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

class ConsumerService;

// One call of ConsumerService.Fetch. What it fetched goes back if gRPC says at the end that the caller went away before
// the response was sent.
class FetchCall final : public UnaryCall<v1::FetchRequest, v1::FetchResponse> {
 public:
  // Asks gRPC for a call.
  static void AskFor(ConsumerService* service, CallShared* shared);

 private:
  FetchCall(ConsumerService* service, CallShared* shared) : UnaryCall(shared), service_(service) {}

  // --- UnaryCall ---
  void AskForNext() override { AskFor(service_, shared()); }
  void Answer() override;
  void OnEnd() override;
  void OnOver(bool lost) override;

  absl::Status Fetch();
  void OnFetched(const core::FetchResult& result);

  ConsumerService* const service_;

  core::Consumer* consumer_ = nullptr;
  uint64_t call_ = 0;          // in core, while it waits there
  std::vector<uint64_t> ids_;  // fetched
};

}  // namespace sluice::rpc
