#include "rpc/drain_waiters.h"

#include <memory>
#include <utility>

#include "rpc/convert.h"

namespace sluice::rpc {

void DrainWaiters::Add(Waiter* waiter) {
  if (report_.has_value()) return waiter->OnDrained(*report_);
  waiters_.insert(waiter);
}

void DrainWaiters::OnDrained(const core::Daemon::Report& report) {
  report_ = report;
  for (Waiter* waiter : std::exchange(waiters_, {})) waiter->OnDrained(report);
}

WaitDrainedCall* WaitDrainedCall::Start(const Shared& shared, v1::WaitDrainedResponse* response) {
  auto* call = new WaitDrainedCall(shared, response);  // OnDone deletes it
  shared.loop->Post([call] { call->Wait(); });
  return call;
}

void WaitDrainedCall::OnCancel() {
  shared_.loop->Post([this] { End(absl::CancelledError("the caller is gone")); });
}

void WaitDrainedCall::OnDone() {
  shared_.loop->Post([self = std::unique_ptr<WaitDrainedCall>(this)] { self->shared_.calls->Remove(self.get()); });
}

void WaitDrainedCall::OnDrained(const core::Daemon::Report& report) {
  ToProto(report, response_);
  End(absl::OkStatus());
}

void WaitDrainedCall::Abort(const absl::Status& reason) { End(reason); }

void WaitDrainedCall::Wait() {
  shared_.calls->Add(this);
  if (ended_) return;
  if (shared_.daemon->phase() == core::Daemon::Phase::kServing) {
    return End(absl::FailedPreconditionError("no drain was started; call Drain first"));
  }
  shared_.waiters->Add(this);
}

void WaitDrainedCall::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  shared_.waiters->Remove(this);
  Finish(ToGrpc(status));
}

}  // namespace sluice::rpc
