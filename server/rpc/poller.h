#pragma once

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc/grpc.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/server_builder.h"

namespace sluice::rpc {

// The one thread on which gRPC works for the server: it polls all sockets, and runs what comes of it. Not gRPC's
// callback API, whose threads (two at least) hand the polling over to each other at every event, and sleep for 100 ms
// at a time when the server has been idle for a second: the first call after that may wait as long.
//
// Owned by Server. Any thread may start operations on its queue.
class Poller {
 public:
  // An operation that was started on queue(): its tag. Called once for each start, on the poller's thread or within
  // StartHere().
  class Tag {
   public:
    virtual void OnComplete(bool ok) = 0;

   protected:
    ~Tag() = default;
  };

  // Held by who starts operations, from before the first until after the last.
  class User {
   public:
    explicit User(Poller* poller);
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;

   private:
    Poller* const poller_;
  };

  explicit Poller(grpc::ServerBuilder* builder) : queue_(builder->AddCompletionQueue()) {}
  ~Poller() { Stop(); }
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // After the server was built.
  void Start();
  // After the server was shut down, or could not be built. Waits for all users: on a queue that was shut down nothing
  // may be started.
  void Stop();

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Calls `start`, which starts an operation. If that completes at once, as a write does whose bytes the socket takes,
  // its tag is called here and now: the poller would be woken up only to pass it on.
  template <typename Start>
  void StartHere(Start start) {
    grpc_completion_queue_thread_local_cache_init(queue_->cq());
    start();
    TakeCompletedHere();
  }

 private:
  void Run();
  void TakeCompletedHere();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  bool stopped_ = false;

  absl::Mutex mutex_;
  int users_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A tag that calls a member of its owner.
template <typename Owner>
class Reaction final : public Poller::Tag {
 public:
  using Member = void (Owner::*)(bool ok);
  Reaction(Owner* owner, Member member) : owner_(owner), member_(member) {}
  void OnComplete(bool ok) override { (owner_->*member_)(ok); }

 private:
  Owner* const owner_;
  const Member member_;
};

}  // namespace sluice::rpc
