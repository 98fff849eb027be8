#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "client-sdk/cpp/session.h"
#include "sluice/handler.h"

namespace sluice::internal {

// A session and the threads that work for it: its own, and one for each handler that may run at once. Owned by a
// Consumption; its end stops the session and waits for all of them.
class Subscription {
 public:
  // Without a handler: the app takes the messages from the inbox itself.
  Subscription(std::shared_ptr<Session> session, const std::shared_ptr<grpc::Channel>& channel,
               std::optional<Handler> handler, int concurrency);
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  Session& session() const { return *session_; }

 private:
  void Work();

  const std::shared_ptr<Session> session_;
  const std::unique_ptr<v1::ConsumerService::Stub> stub_;
  const std::optional<Handler> handler_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::internal
