#include "rpc/settle_call.h"

#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "rpc/consumer_service.h"
#include "rpc/tokens.h"
#include "rpc/unary_requests.h"

namespace sluice::rpc {

void SettleCall::AskFor(ConsumerService* service, CallShared* shared) {
  auto* call = new SettleCall(service, shared);  // deletes itself
  call->Ask(service, &ConsumerService::RequestSettle);
}

void SettleCall::Answer() {
  if (absl::Status status = Settle(); !status.ok()) End(status);
}

absl::Status SettleCall::Settle() {
  if (shared()->daemon->tokens() == nullptr) {
    return absl::UnimplementedError("this daemon gives no tokens; settle on the Consume stream that delivered");
  }
  const absl::StatusOr<core::Settlement> settlement = ReadSettleRequest(request());
  if (!settlement.ok()) return settlement.status();
  core::Consumer* consumer = shared()->daemon->FindConsumer(request().consumer());
  if (consumer == nullptr) return shared()->daemon->UnknownConsumer(request().consumer());
  const std::vector<core::SettleTarget> targets = ReadTokens(*consumer);
  consumer->unary().Settle(targets, *settlement, [weak = std::weak_ptr(alive_)](core::SettleAnswers answers) {
    if (const auto alive = weak.lock()) (*alive)->OnSettled(answers);
  });
  return absl::OkStatus();
}

// What is no token of this consumer's is answered here, and core never hears of it.
std::vector<core::SettleTarget> SettleCall::ReadTokens(const core::Consumer& consumer) {
  std::vector<core::SettleTarget> targets;
  std::map<std::string, std::vector<uint64_t>> refused;  // positions, by why
  for (int position = 0; position < request().tokens_size(); ++position) {
    absl::StatusOr<core::SettleTarget> target =
        OpenToken(*shared()->daemon->tokens(), consumer, request().tokens(position));
    if (target.ok()) {
      targets.push_back(*std::move(target));
      positions_.push_back(position);
    } else {
      refused[std::string(target.status().message())].push_back(position);
    }
  }
  for (const auto& [why, positions] : refused) AddResult(core::SettleOutcome::kNotHeld, positions, why);
  return targets;
}

void SettleCall::OnSettled(const core::SettleAnswers& answers) {
  if (ended()) return;
  for (const auto& answer : answers) {
    std::vector<uint64_t> positions;
    for (uint64_t target : answer.ids) positions.push_back(positions_[target]);
    AddResult(answer.outcome, positions, answer.detail);
  }
  End(absl::OkStatus());
}

void SettleCall::AddResult(core::SettleOutcome outcome, const std::vector<uint64_t>& positions,
                           const std::string& detail) {
  v1::SettleResult* result = response()->add_results();
  result->set_outcome(static_cast<v1::SettleResult::Outcome>(outcome));
  result->mutable_ids()->Add(positions.begin(), positions.end());
  result->set_detail(detail);
}

}  // namespace sluice::rpc
