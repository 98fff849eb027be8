#pragma once

#include <string>
#include <utility>

#include "base/event_loop.h"
#include "core/daemon.h"
#include "grpcpp/server_context.h"
#include "rpc/loop_queue.h"
#include "rpc/open_calls.h"

namespace sluice::rpc {

// What the calls of a server have in common. Owned by Server.
struct CallShared {
  base::EventLoop* const loop;
  core::Daemon* const daemon;  // loop only
  const std::string server;    // how the daemon names itself, as in "sluice/0.1.0"
  LoopQueue* queue = nullptr;  // from before the first call
  OpenCalls calls = {};        // loop only
};

// One call of a method: what every kind of call does at its beginning and its end. gRPC is asked for it before anybody
// calls; when somebody does, gRPC is asked for the next one first of all.
//
//   asked for ---arrived---> open ---Finish---> finished ---all operations have completed---> over, deleted
//
// All on the loop. Completions may come in any order: also gRPC's word that the call is done before the arrival. A call
// for which nobody came is deleted when gRPC says that the server is shut down.
class ServerCall : public OpenCalls::Call {
 protected:
  explicit ServerCall(CallShared* shared);

  // --- for what asks gRPC for the call ---
  grpc::ServerContext* context() { return &context_; }
  grpc::ServerCompletionQueue* queue() { return shared_->queue->queue(); }
  void* arrival() { return static_cast<LoopQueue::Tag*>(&arrived_); }

  // Asks gRPC for the next call of the method.
  virtual void AskForNext() = 0;

  // The call has arrived. It may have been aborted already.
  virtual void Begin() = 0;
  // The caller is gone, maybe before Begin(). Finish must follow, as without.
  virtual void OnGone() = 0;
  // All has completed. `lost`: the caller was gone before gRPC had sent all.
  virtual void OnOver(bool) {}

  // The tag of an operation that is being started; there may be one of each reaction at a time.
  void* Starting(LoopQueue::Tag* reaction);
  // That of Finish, the last one to be started.
  void* Finishing();

  // The last thing in the reaction to an operation, which may have been the last one: this may be gone then.
  void Completed();

  CallShared* shared() const { return shared_; }

 private:
  void OnArrived(bool ok);
  void OnDone(bool ok);
  void OnFinished(bool ok);

  CallShared* const shared_;
  const LoopQueue::User user_;
  grpc::ServerContext context_;
  Reaction<ServerCall> arrived_{this, &ServerCall::OnArrived};
  Reaction<ServerCall> done_{this, &ServerCall::OnDone};
  Reaction<ServerCall> finished_{this, &ServerCall::OnFinished};

  int under_way_ = 2;  // operations: at first the arrival, and gRPC's word that the call is done
  bool finishing_ = false;
  bool lost_ = false;
};

}  // namespace sluice::rpc
