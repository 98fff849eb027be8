// integration_caller: one Fetch, as a script would make it, for tests that kill its process: integration_caller ADDRESS
// CONSUMER BATCH SECONDS. Prints how many messages it got, and settles none.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "grpcpp/grpcpp.h"
#include "sluice/v1/consumer.grpc.pb.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  auto stub = sluice::v1::ConsumerService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  sluice::v1::FetchRequest request;
  request.set_consumer(argv[2]);
  request.set_batch(std::atoi(argv[3]));
  request.mutable_max_wait()->set_seconds(std::atoi(argv[4]));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(90));
  sluice::v1::FetchResponse response;
  const grpc::Status status = stub->Fetch(&context, request, &response);
  std::printf("%d\n", response.deliveries_size());
  return status.ok() ? 0 : 1;
}
