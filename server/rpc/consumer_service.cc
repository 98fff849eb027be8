#include "rpc/consumer_service.h"

#include "rpc/consume_stream.h"
#include "rpc/convert.h"
#include "rpc/fetch_call.h"
#include "rpc/settle_call.h"
#include "rpc/unary_call.h"

namespace sluice::rpc {

void ConsumerService::Serve() {
  ConsumeStream::AskFor(this, shared_);
  FetchCall::AskFor(this, shared_);
  SettleCall::AskFor(this, shared_);
  ServeMethod(shared_, this, &ConsumerService::RequestGetConsumer, &ConsumerService::AnswerGetConsumer);
  ServeMethod(shared_, this, &ConsumerService::RequestListConsumers, &ConsumerService::AnswerListConsumers);
}

absl::Status ConsumerService::AnswerGetConsumer(const v1::GetConsumerRequest& request, v1::Consumer* response) {
  const core::Consumer* consumer = shared_->daemon->FindConsumer(request.consumer());
  if (consumer == nullptr) return shared_->daemon->UnknownConsumer(request.consumer());
  ToProto(*consumer, response);
  return absl::OkStatus();
}

absl::Status ConsumerService::AnswerListConsumers(const v1::ListConsumersRequest&,
                                                  v1::ListConsumersResponse* response) {
  for (const auto& consumer : shared_->daemon->consumers()) ToProto(*consumer, response->add_consumers());
  return absl::OkStatus();
}

}  // namespace sluice::rpc
