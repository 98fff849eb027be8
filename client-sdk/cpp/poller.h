#pragma once

#include <grpcpp/completion_queue.h>

#include <thread>

namespace sluice::internal {

// The one thread on which gRPC works for a Client: it polls the connection, and runs what comes of it. Not gRPC's
// callback API, whose threads (two at least) hand the polling over to each other at every event: that is a wake-up on
// each message's way, and one on its verdict's.
class Poller {
 public:
  // An operation that was started on queue(): its tag. Called once for each start.
  class Tag {
   public:
    virtual void OnComplete(bool ok) = 0;

   protected:
    ~Tag() = default;
  };

  Poller() : thread_([this] { Run(); }) {}
  Poller(const Poller&) = delete;
  // When all that was started has completed. Not on its own thread.
  ~Poller() {
    queue_.Shutdown();
    thread_.join();
  }

  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  void Run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->OnComplete(ok);
  }

  grpc::CompletionQueue queue_;
  std::thread thread_;  // last: it uses the queue
};

}  // namespace sluice::internal
