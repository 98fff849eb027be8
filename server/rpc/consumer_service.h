#pragma once

#include "rpc/consume_stream.h"
#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::rpc {

// The generated service, its methods as callbacks; Consume on serialized bytes, see ConsumeStream.
using ConsumerServiceBase =
    v1::ConsumerService::WithRawCallbackMethod_Consume<v1::ConsumerService::WithCallbackMethod_Fetch<
        v1::ConsumerService::WithCallbackMethod_Settle<v1::ConsumerService::WithCallbackMethod_GetConsumer<
            v1::ConsumerService::WithCallbackMethod_ListConsumers<v1::ConsumerService::Service>>>>>;

// What apps call. Owned by Server; called on gRPC's threads, answers from the loop.
class ConsumerService final : public ConsumerServiceBase {
 public:
  explicit ConsumerService(ConsumeShared* shared) : shared_(shared) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Consume(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Fetch(grpc::CallbackServerContext* context, const v1::FetchRequest* request,
                                  v1::FetchResponse* response) override;
  grpc::ServerUnaryReactor* Settle(grpc::CallbackServerContext* context, const v1::SettleRequest* request,
                                   v1::SettleResponse* response) override;
  grpc::ServerUnaryReactor* GetConsumer(grpc::CallbackServerContext* context, const v1::GetConsumerRequest* request,
                                        v1::Consumer* response) override;
  grpc::ServerUnaryReactor* ListConsumers(grpc::CallbackServerContext* context, const v1::ListConsumersRequest* request,
                                          v1::ListConsumersResponse* response) override;

 private:
  ConsumeShared* const shared_;
};

}  // namespace sluice::rpc
