#include "rpc/fetch_call.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "rpc/convert.h"
#include "rpc/unary_requests.h"

namespace sluice::rpc {

FetchCall* FetchCall::Start(grpc::CallbackServerContext* context, ConsumeShared* shared,
                            const v1::FetchRequest* request, v1::FetchResponse* response) {
  auto* call = new FetchCall(context, shared, request, response);  // OnDone deletes it
  shared->loop->Post([call] { call->Begin(); });
  return call;
}

void FetchCall::OnCancel() {
  shared_->loop->Post([this] { End(absl::CancelledError("the caller is gone")); });
}

void FetchCall::OnDone() {
  // Also true if it went away when the response was on its way: then nobody may have read it.
  const bool lost = context_->IsCancelled();
  shared_->loop->Post([self = std::unique_ptr<FetchCall>(this), lost] { self->HandleDone(lost); });
}

void FetchCall::Abort(const absl::Status& reason) { End(reason); }

void FetchCall::Begin() {
  shared_->calls.Add(this);
  if (ended_) return;
  if (absl::Status status = Fetch(); !status.ok()) End(status);
}

absl::Status FetchCall::Fetch() {
  if (shared_->daemon->tokens() == nullptr) {
    return absl::UnimplementedError("this daemon gives no tokens; open a Consume stream");
  }
  const absl::StatusOr<core::FetchRequest> request = ReadFetch(*request_);
  if (!request.ok()) return request.status();
  consumer_ = shared_->daemon->FindConsumer(request_->consumer());
  if (consumer_ == nullptr) return shared_->daemon->UnknownConsumer(request_->consumer());
  const absl::StatusOr<uint64_t> call =
      consumer_->unary().Fetch(*request, [this](const core::FetchResult& result) { OnFetched(result); });
  if (!call.ok()) return call.status();
  call_ = *call;
  return absl::OkStatus();
}

void FetchCall::OnFetched(const core::FetchResult& result) {
  call_ = 0;
  for (const core::Delivery* delivery : result.deliveries) {
    ids_.push_back(delivery->id);
    ToProto(*delivery, response_->add_deliveries());
  }
  if (!ids_.empty()) *response_->mutable_lease() = ToProto(result.lease);
  if (result.state != core::ConsumerState::kServing) {
    response_->mutable_state()->set_kind(static_cast<v1::State::Kind>(result.state));
    response_->mutable_state()->set_detail(result.state_detail);
  }
  End(result.status);
}

void FetchCall::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  if (call_ != 0) consumer_->unary().Cancel(std::exchange(call_, 0));
  Finish(ToGrpc(status));
}

void FetchCall::HandleDone(bool lost) {
  if (lost && !ids_.empty()) consumer_->unary().Return(ids_);
  shared_->calls.Remove(this);
}

}  // namespace sluice::rpc
