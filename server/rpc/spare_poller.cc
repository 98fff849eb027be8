#include "rpc/spare_poller.h"

namespace sluice::rpc {
namespace {

void Drain(grpc::CompletionQueue* queue) {
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) {
  }
}

}  // namespace

void SparePoller::Start() {
  thread_ = std::thread([this] { Drain(queue_.get()); });
}

void SparePoller::Stop() {
  if (stopped_) return;
  stopped_ = true;
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Drain(queue_.get());  // a queue must be empty when it goes
  }
}

}  // namespace sluice::rpc
