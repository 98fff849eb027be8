#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "client-sdk/cpp/poller.h"
#include "client-sdk/cpp/session.h"
#include "client-sdk/cpp/worker.h"

namespace sluice::internal {

// A session and the threads that work for it: its own, and one for each handler that may run at once. Owned by a
// Consumption; its end stops the session and waits for all of them.
class Subscription {
 public:
  // No workers: the app takes the messages from the inbox itself.
  Subscription(std::shared_ptr<Session> session, const std::shared_ptr<grpc::Channel>& channel,
               std::shared_ptr<Poller> poller, int workers, Work work);
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  Session& session() const { return *session_; }

 private:
  const std::shared_ptr<Session> session_;
  const std::unique_ptr<ConsumeStub> stub_;
  const std::shared_ptr<Poller> poller_;
  const Work work_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::internal
