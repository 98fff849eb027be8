#include "rpc/loop_queue.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "grpc/support/time.h"

namespace sluice::rpc {
namespace {

// Then it is the tasks' turn.
constexpr int kMostAtOnce = 64;

gpr_timespec DeadlineIn(absl::Duration wait) {
  // Any other point in time gRPC rounds up to its next millisecond, and waits for it.
  if (wait <= absl::ZeroDuration()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  if (wait == absl::InfiniteDuration()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(absl::ToInt64Nanoseconds(wait), GPR_TIMESPAN));
}

}  // namespace

LoopQueue::User::~User() {
  if (--queue_->users_ == 0 && queue_->when_idle_ != nullptr) std::exchange(queue_->when_idle_, nullptr)();
}

void LoopQueue::Start() {
  started_ = true;
  loop_->Post([this] { loop_->SetSleeper(this); });
}

void LoopQueue::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (!started_) return ShutDown();
  absl::Notification over;
  // Behind what the last user is about, which may be one of the queue's own events.
  const auto shut_down = [this, &over] {
    loop_->Post([this, &over] {
      loop_->SetSleeper(nullptr);
      ShutDown();
      over.Notify();
    });
  };
  loop_->Post([this, shut_down] {
    when_idle_ = shut_down;
    if (users_ == 0) std::exchange(when_idle_, nullptr)();
  });
  over.WaitForNotification();
}

// A queue must be empty when it goes.
void LoopQueue::ShutDown() {
  alarm_.Cancel();
  queue_->Shutdown();
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) {
    if (tag != nullptr) static_cast<Tag*>(tag)->OnComplete(ok);
  }
}

void LoopQueue::Sleep(absl::Duration most) {
  bool more = HandleNext(DeadlineIn(most));
  for (int handled = 1; more && handled < kMostAtOnce; ++handled) more = HandleNext(DeadlineIn(absl::ZeroDuration()));
}

bool LoopQueue::HandleNext(gpr_timespec deadline) {
  void* tag = nullptr;
  bool ok = false;
  if (queue_->AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
  if (tag == nullptr) {
    waking_ = false;  // the loop looks for tasks now
    return false;
  }
  loop_->timers().Refresh();  // it may have been a long wait
  static_cast<Tag*>(tag)->OnComplete(ok);
  return true;
}

void LoopQueue::Wake() {
  if (!waking_.exchange(true)) alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), nullptr);
}

}  // namespace sluice::rpc
