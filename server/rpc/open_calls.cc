#include "rpc/open_calls.h"

#include <utility>

namespace sluice::rpc {

void OpenCalls::Add(Call* call) {
  if (!reason_.ok()) return call->Abort(reason_);
  calls_.insert(call);
}

void OpenCalls::Remove(Call* call) {
  calls_.erase(call);
  NotifyIfClosed();
}

void OpenCalls::Close(absl::Status reason, absl::AnyInvocable<void()> closed) {
  reason_ = std::move(reason);
  closed_ = std::move(closed);
  for (Call* call : calls_) call->Abort(reason_);
  NotifyIfClosed();
}

void OpenCalls::NotifyIfClosed() {
  if (calls_.empty() && closed_) std::exchange(closed_, nullptr)();
}

}  // namespace sluice::rpc
