#include "rpc/poller.h"

namespace sluice::rpc {

Poller::User::User(Poller* poller) : poller_(poller) {
  absl::MutexLock lock(&poller_->mutex_);
  ++poller_->users_;
}

Poller::User::~User() {
  absl::MutexLock lock(&poller_->mutex_);
  --poller_->users_;
}

void Poller::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Poller::Stop() {
  if (stopped_) return;
  stopped_ = true;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* users) { return *users == 0; }, &users_));
  }
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Run();  // a queue must be empty when it goes
  }
}

void Poller::Run() {
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) static_cast<Tag*>(tag)->OnComplete(ok);
}

// What grpc::CompletionQueue::DoThenAsyncNext() does, which would poll too if there is nothing.
void Poller::TakeCompletedHere() {
  void* event;
  int succeeded;
  if (grpc_completion_queue_thread_local_cache_flush(queue_->cq(), &event, &succeeded) == 0) return;
  void* tag;
  bool ok = succeeded != 0;
  if (static_cast<grpc::internal::CompletionQueueTag*>(event)->FinalizeResult(&tag, &ok)) {
    static_cast<Tag*>(tag)->OnComplete(ok);
  }
}

}  // namespace sluice::rpc
