#include "client-sdk/cpp/subscription.h"

#include <utility>

namespace sluice::internal {

Subscription::Subscription(std::shared_ptr<Session> session, const std::shared_ptr<grpc::Channel>& channel,
                           std::shared_ptr<Poller> poller, int workers, Work work)
    : session_(std::move(session)),
      stub_(std::make_unique<ConsumeStub>(channel)),
      poller_(std::move(poller)),
      work_(std::move(work)) {
  threads_.emplace_back([this] { session_->Run(*stub_, *poller_); });
  for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work_(*session_); });
}

Subscription::~Subscription() {
  session_->StartStop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace sluice::internal
