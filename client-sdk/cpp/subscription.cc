#include "client-sdk/cpp/subscription.h"

#include <exception>
#include <utility>

namespace sluice::internal {

Subscription::Subscription(std::shared_ptr<Session> session, const std::shared_ptr<grpc::Channel>& channel,
                           std::optional<Handler> handler, int concurrency)
    : session_(std::move(session)), stub_(v1::ConsumerService::NewStub(channel)), handler_(std::move(handler)) {
  threads_.emplace_back([this] { session_->Run(*stub_); });
  for (int i = 0; handler_ && i < concurrency; ++i) threads_.emplace_back([this] { Work(); });
}

Subscription::~Subscription() {
  session_->StartStop();
  for (std::thread& thread : threads_) thread.join();
}

void Subscription::Work() {
  std::shared_ptr<Frame> frame;
  while (std::optional<Message> message = session_->inbox().Next(frame)) {
    try {
      (*handler_)(std::move(*message));
    } catch (const std::exception& e) {
      session_->OnThrown(e.what());
    } catch (...) {
      session_->OnThrown("not a std::exception");
    }
  }
}

}  // namespace sluice::internal
