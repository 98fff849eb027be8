#pragma once

#include "rpc/server_call.h"
#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::rpc {

// The generated service, its methods on the server's queue; Consume on serialized bytes, see ConsumeStream.
using ConsumerServiceBase = v1::ConsumerService::WithRawMethod_Consume<v1::ConsumerService::WithAsyncMethod_Fetch<
    v1::ConsumerService::WithAsyncMethod_Settle<v1::ConsumerService::WithAsyncMethod_GetConsumer<
        v1::ConsumerService::WithAsyncMethod_ListConsumers<v1::ConsumerService::Service>>>>>;

// What apps call. Owned by Server; answers from the loop.
class ConsumerService final : public ConsumerServiceBase {
 public:
  explicit ConsumerService(CallShared* shared) : shared_(shared) {}

  // Asks gRPC for the first call of each method. Once the server is built.
  void Serve();

 private:
  absl::Status AnswerGetConsumer(const v1::GetConsumerRequest& request, v1::Consumer* response);
  absl::Status AnswerListConsumers(const v1::ListConsumersRequest& request, v1::ListConsumersResponse* response);

  CallShared* const shared_;
};

}  // namespace sluice::rpc
