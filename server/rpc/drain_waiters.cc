#include "rpc/drain_waiters.h"

#include <utility>

#include "rpc/admin_service.h"
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

void WaitDrainedCall::AskFor(AdminService* service, CallShared* shared, DrainWaiters* waiters) {
  auto* call = new WaitDrainedCall(service, shared, waiters);  // deletes itself
  call->Ask(service, &AdminService::RequestWaitDrained);
}

void WaitDrainedCall::Answer() {
  if (shared()->daemon->phase() == core::Daemon::Phase::kServing) {
    return End(absl::FailedPreconditionError("no drain was started; call Drain first"));
  }
  waiters_->Add(this);
}

void WaitDrainedCall::OnDrained(const core::Daemon::Report& report) {
  ToProto(report, response());
  End(absl::OkStatus());
}

}  // namespace sluice::rpc
