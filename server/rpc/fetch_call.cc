#include "rpc/fetch_call.h"

#include <utility>

#include "absl/status/statusor.h"
#include "rpc/consumer_service.h"
#include "rpc/convert.h"
#include "rpc/unary_requests.h"

namespace sluice::rpc {

void FetchCall::AskFor(ConsumerService* service, CallShared* shared) {
  auto* call = new FetchCall(service, shared);  // deletes itself
  call->Ask(service, &ConsumerService::RequestFetch);
}

void FetchCall::Answer() {
  if (absl::Status status = Fetch(); !status.ok()) End(status);
}

absl::Status FetchCall::Fetch() {
  if (shared()->daemon->tokens() == nullptr) {
    return absl::UnimplementedError("this daemon gives no tokens; open a Consume stream");
  }
  const absl::StatusOr<core::FetchRequest> fetch = ReadFetch(request());
  if (!fetch.ok()) return fetch.status();
  consumer_ = shared()->daemon->FindConsumer(request().consumer());
  if (consumer_ == nullptr) return shared()->daemon->UnknownConsumer(request().consumer());
  const absl::StatusOr<uint64_t> call =
      consumer_->unary().Fetch(*fetch, [this](const core::FetchResult& result) { OnFetched(result); });
  if (!call.ok()) return call.status();
  call_ = *call;
  return absl::OkStatus();
}

void FetchCall::OnFetched(const core::FetchResult& result) {
  call_ = 0;
  for (const core::Delivery* delivery : result.deliveries) {
    ids_.push_back(delivery->id);
    ToProto(*delivery, response()->add_deliveries());
  }
  if (!ids_.empty()) *response()->mutable_lease() = ToProto(result.lease);
  if (result.state != core::ConsumerState::kServing) {
    response()->mutable_state()->set_kind(static_cast<v1::State::Kind>(result.state));
    response()->mutable_state()->set_detail(result.state_detail);
  }
  End(result.status);
}

void FetchCall::OnEnd() {
  if (call_ != 0) consumer_->unary().Cancel(std::exchange(call_, 0));
}

// It is lost also if the caller went away when the response was on its way: then nobody may have read it.
void FetchCall::OnOver(bool lost) {
  if (lost && !ids_.empty()) consumer_->unary().Return(ids_);
}

}  // namespace sluice::rpc
