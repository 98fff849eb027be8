#include "rpc/consumer_service.h"

#include "rpc/convert.h"
#include "rpc/fetch_call.h"
#include "rpc/settle_call.h"

namespace sluice::rpc {

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ConsumerService::Consume(
    grpc::CallbackServerContext* context) {
  return ConsumeStream::Start(context, shared_);
}

grpc::ServerUnaryReactor* ConsumerService::Fetch(grpc::CallbackServerContext* context, const v1::FetchRequest* request,
                                                 v1::FetchResponse* response) {
  return FetchCall::Start(context, shared_, request, response);
}

grpc::ServerUnaryReactor* ConsumerService::Settle(grpc::CallbackServerContext*, const v1::SettleRequest* request,
                                                  v1::SettleResponse* response) {
  return SettleCall::Start(shared_, request, response);
}

grpc::ServerUnaryReactor* ConsumerService::GetConsumer(grpc::CallbackServerContext* context,
                                                       const v1::GetConsumerRequest* request, v1::Consumer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  shared_->loop->Post([this, reactor, request, response] {
    const core::Consumer* consumer = shared_->daemon->FindConsumer(request->consumer());
    if (consumer == nullptr) {
      return reactor->Finish(ToGrpc(shared_->daemon->UnknownConsumer(request->consumer())));
    }
    ToProto(*consumer, response);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* ConsumerService::ListConsumers(grpc::CallbackServerContext* context,
                                                         const v1::ListConsumersRequest*,
                                                         v1::ListConsumersResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  shared_->loop->Post([this, reactor, response] {
    for (const auto& consumer : shared_->daemon->consumers()) ToProto(*consumer, response->add_consumers());
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace sluice::rpc
