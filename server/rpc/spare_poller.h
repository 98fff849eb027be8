#pragma once

#include <memory>
#include <thread>

#include "grpcpp/completion_queue.h"
#include "grpcpp/server_builder.h"

namespace sluice::rpc {

// A thread that always polls the server's sockets. gRPC's own callback threads sleep for 100 ms at a time when the
// server has been idle for a second; without this, the first call after that may wait as long. The queue it polls gets
// no events. Owned by Server.
class SparePoller {
 public:
  explicit SparePoller(grpc::ServerBuilder* builder) : queue_(builder->AddCompletionQueue()) {}
  ~SparePoller() { Stop(); }
  SparePoller(const SparePoller&) = delete;
  SparePoller& operator=(const SparePoller&) = delete;

  // After the server was built.
  void Start();
  // After the server was shut down, or could not be built.
  void Stop();

 private:
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace sluice::rpc
