#include "rpc/settle_call.h"

#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "rpc/convert.h"
#include "rpc/tokens.h"
#include "rpc/unary_requests.h"

namespace sluice::rpc {

SettleCall* SettleCall::Start(ConsumeShared* shared, const v1::SettleRequest* request, v1::SettleResponse* response) {
  auto* call = new SettleCall(shared, request, response);  // OnDone deletes it
  shared->loop->Post([call] { call->Begin(); });
  return call;
}

// What it has said stands.
void SettleCall::OnCancel() {
  shared_->loop->Post([this] { End(absl::CancelledError("the caller is gone")); });
}

void SettleCall::OnDone() {
  shared_->loop->Post([self = std::unique_ptr<SettleCall>(this)] { self->shared_->calls.Remove(self.get()); });
}

void SettleCall::Abort(const absl::Status& reason) { End(reason); }

void SettleCall::Begin() {
  shared_->calls.Add(this);
  if (ended_) return;
  if (absl::Status status = Settle(); !status.ok()) End(status);
}

absl::Status SettleCall::Settle() {
  if (shared_->daemon->tokens() == nullptr) {
    return absl::UnimplementedError("this daemon gives no tokens; settle on the Consume stream that delivered");
  }
  const absl::StatusOr<core::Settlement> settlement = ReadSettleRequest(*request_);
  if (!settlement.ok()) return settlement.status();
  core::Consumer* consumer = shared_->daemon->FindConsumer(request_->consumer());
  if (consumer == nullptr) return shared_->daemon->UnknownConsumer(request_->consumer());
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
  for (int position = 0; position < request_->tokens_size(); ++position) {
    absl::StatusOr<core::SettleTarget> target =
        OpenToken(*shared_->daemon->tokens(), consumer, request_->tokens(position));
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
  if (ended_) return;
  for (const auto& answer : answers) {
    std::vector<uint64_t> positions;
    for (uint64_t target : answer.ids) positions.push_back(positions_[target]);
    AddResult(answer.outcome, positions, answer.detail);
  }
  End(absl::OkStatus());
}

void SettleCall::AddResult(core::SettleOutcome outcome, const std::vector<uint64_t>& positions,
                           const std::string& detail) {
  v1::SettleResult* result = response_->add_results();
  result->set_outcome(static_cast<v1::SettleResult::Outcome>(outcome));
  result->mutable_ids()->Add(positions.begin(), positions.end());
  result->set_detail(detail);
}

void SettleCall::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  Finish(ToGrpc(status));
}

}  // namespace sluice::rpc
