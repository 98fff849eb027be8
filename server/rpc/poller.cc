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

}  // namespace sluice::rpc
