#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jetstream/inbox_sink.h"
#include "jetstream/nats_connection.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// A subscription to `<prefix>*`, where <prefix> is unique. Lives on one natsConnection, over its reconnects, and ends
// with it.
class Inbox {
 public:
  using Sink = InboxSink;

  // `consumer`: "<stream>.<consumer>", if it is for what that delivers. Whoever pulls from it on the same connection
  // uses the same inbox.
  static absl::StatusOr<std::unique_ptr<Inbox>> Open(std::shared_ptr<NatsConnection> nats, std::shared_ptr<Sink> sink,
                                                     const std::string& consumer = "");
  // Not unique but shared: each message of `subject` goes to one of those who have opened it as `queue`.
  static absl::StatusOr<std::unique_ptr<Inbox>> OpenQueue(std::shared_ptr<NatsConnection> nats,
                                                          const std::string& subject, const std::string& queue,
                                                          std::shared_ptr<Sink> sink);
  // Ends the subscription. May block, as Drain().
  ~Inbox();

  // "_INBOX.<unique>."; of a queue: its subject
  const std::string& prefix() const { return prefix_; }

  // Tells the server that nothing more is wanted, and calls Sink::OnEnd() when what came before is delivered: when the
  // server has confirmed, or after `timeout`. May block for as long as cnats tries to connect.
  void Drain(absl::Duration timeout);

 private:
  Inbox(std::shared_ptr<NatsConnection> nats, std::string prefix)
      : nats_(std::move(nats)), prefix_(std::move(prefix)) {}

  struct Closure;

  // `queue` empty: no queue.
  absl::Status Subscribe(const std::string& subject, const std::string& queue, std::unique_ptr<Closure> closure);
  static void OnMessage(natsConnection* nats, natsSubscription* subscription, natsMsg* msg, void* closure);
  static void OnEnd(void* closure);

  const std::shared_ptr<NatsConnection> nats_;
  const std::string prefix_;
  natsSubscription* subscription_ = nullptr;  // nats_'s
};

}  // namespace sluice::jetstream
