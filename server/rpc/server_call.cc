#include "rpc/server_call.h"

namespace sluice::rpc {

ServerCall::ServerCall(CallShared* shared) : shared_(shared), user_(shared->poller) {
  context_.AsyncNotifyWhenDone(static_cast<Poller::Tag*>(&done_));
}

void ServerCall::OnArrived(bool ok) {
  if (!ok) return delete this;  // the server is shut down; gRPC is not going to say that the call is done
  AskForNext();
  Complete([this] {
    shared_->calls.Add(this);
    Begin();
  });
}

void ServerCall::OnDone(bool) {
  Complete([this, gone = context_.IsCancelled()] {
    lost_ = gone;
    if (gone) OnGone();
  });
}

void ServerCall::OnFinished(bool) {
  Complete([] {});
}

void* ServerCall::Starting(Poller::Tag* reaction) {
  ++under_way_;
  return reaction;
}

void* ServerCall::Finishing() {
  finishing_ = true;
  return Starting(&finished_);
}

void ServerCall::OnCompleted() {
  if (--under_way_ > 0 || !finishing_) return;
  OnOver(lost_);
  shared_->calls.Remove(this);
  delete this;
}

}  // namespace sluice::rpc
