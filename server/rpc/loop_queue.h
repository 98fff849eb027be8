#pragma once

#include <atomic>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "grpcpp/alarm.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/server_builder.h"

namespace sluice::rpc {

// gRPC's completion queue of the server, on the loop: where the loop has nothing to do, it waits in gRPC's poller, and
// what gRPC has to tell it handles at once. So no thread of gRPC's hands an event over: not gRPC's callback API, whose
// threads (two at least) pass the polling on to each other at every event, and sleep for 100 ms at a time when the
// server has been idle for a second.
//
// gRPC counts in milliseconds: a timer of the loop may be up to one late. Owned by Server.
class LoopQueue final : public base::EventLoop::Sleeper {
 public:
  // An operation that was started on queue(): its tag. Called on the loop, once for each start, not within a task.
  class Tag {
   public:
    virtual void OnComplete(bool ok) = 0;

   protected:
    ~Tag() = default;
  };

  // Held by who starts operations, from before the first until after the last.
  class User {
   public:
    explicit User(LoopQueue* queue) : queue_(queue) { ++queue_->users_; }
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;

   private:
    LoopQueue* const queue_;
  };

  LoopQueue(base::EventLoop* loop, grpc::ServerBuilder* builder) : loop_(loop), queue_(builder->AddCompletionQueue()) {}
  ~LoopQueue() override { Stop(); }
  LoopQueue(const LoopQueue&) = delete;
  LoopQueue& operator=(const LoopQueue&) = delete;

  // Operations are started, and their users come and go, on the loop or before Start().
  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Once the server is built.
  void Start();
  // After the server was shut down, or could not be built. Waits for all users: on a queue that was shut down nothing
  // may be started. Not on the loop, which runs if this was started.
  void Stop();

  void Sleep(absl::Duration most) override;
  void Wake() override;

 private:
  // Handles the next event, which it waits for. False: there was none, or only a Wake().
  bool HandleNext(gpr_timespec deadline);
  void ShutDown();

  base::EventLoop* const loop_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  bool started_ = false;
  bool stopped_ = false;
  int users_ = 0;                         // loop only, once started
  absl::AnyInvocable<void()> when_idle_;  // the same; null: nobody waits for the last user

  grpc::Alarm alarm_;  // what wakes the loop in gRPC's poller; its tag is null
  std::atomic<bool> waking_ = false;
};

// A tag that calls a member of its owner.
template <typename Owner>
class Reaction final : public LoopQueue::Tag {
 public:
  using Member = void (Owner::*)(bool ok);
  Reaction(Owner* owner, Member member) : owner_(owner), member_(member) {}
  void OnComplete(bool ok) override { (owner_->*member_)(ok); }

 private:
  Owner* const owner_;
  const Member member_;
};

}  // namespace sluice::rpc
