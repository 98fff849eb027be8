#pragma once

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace sluice::rpc {

// What came of one request of these bytes to a method: for tests that say what no generated stub would, or that call
// what has none.
struct RawResult {
  grpc::Status status;
  std::string response;  // the first one
};

inline RawResult RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                         const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };

  auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  wait();
  const grpc::Slice slice(request);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  wait();
  RawResult result;
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  if (wait()) {
    grpc::Slice bytes;
    if (response.DumpToSingleSlice(&bytes).ok()) {
      result.response.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    }
    call->WritesDone(nullptr);
    wait();
  }
  call->Finish(&result.status, nullptr);
  wait();
  queue.Shutdown();
  while (wait()) {
  }
  return result;
}

}  // namespace sluice::rpc
