#include "rpc/server_call.h"

namespace sluice::rpc {

ServerCall::ServerCall(CallShared* shared) : shared_(shared), user_(shared->queue) {
  context_.AsyncNotifyWhenDone(static_cast<LoopQueue::Tag*>(&done_));
}

void ServerCall::OnArrived(bool ok) {
  if (!ok) return delete this;  // the server is shut down; gRPC is not going to say that the call is done
  AskForNext();
  shared_->calls.Add(this);
  Begin();
  Completed();
}

void ServerCall::OnDone(bool) {
  lost_ = context_.IsCancelled();
  if (lost_) OnGone();
  Completed();
}

void ServerCall::OnFinished(bool) { Completed(); }

void* ServerCall::Starting(LoopQueue::Tag* reaction) {
  ++under_way_;
  return reaction;
}

void* ServerCall::Finishing() {
  finishing_ = true;
  return Starting(&finished_);
}

void ServerCall::Completed() {
  if (--under_way_ > 0 || !finishing_) return;
  OnOver(lost_);
  shared_->calls.Remove(this);
  delete this;
}

}  // namespace sluice::rpc
