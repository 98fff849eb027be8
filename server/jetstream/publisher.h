#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "base/timers.h"
#include "jetstream/connection.h"
#include "jetstream/inbox.h"

namespace sluice::jetstream {

// Publishes to one subject of a stream, and knows of each message whether JetStream has stored it (PubAck). What is not
// confirmed in time, or was under way when the connection went, is published again under the same `Nats-Msg-Id`, so
// that within the stream's duplicate window everything is stored exactly once. Loop only; outlived by its connection.
class Publisher final : private Connection::Listener {
 public:
  // How long a message waits for its PubAck before it is published again.
  static constexpr absl::Duration kAckTimeout = absl::Seconds(2);

  // `id` begins the message ids: unique within the stream's duplicate window.
  Publisher(Connection* connection, base::EventLoop* loop, std::string subject, std::string id);
  ~Publisher() override;

  // Takes a message, now or as soon as there is a connection. It is kept until it is confirmed: the caller bounds
  // unconfirmed().
  void Publish(std::string payload);

  uint64_t confirmed() const { return confirmed_; }
  uint64_t unconfirmed() const { return published_ - confirmed_; }
  const std::string& last_error() const { return last_error_; }  // of a PubAck; empty: there was none

  // Calls back once, when nothing is unconfirmed: now, or later.
  void WhenConfirmed(absl::AnyInvocable<void()> callback);

 private:
  class Replies;

  struct Message {
    std::string payload;
    absl::Time sent;
    bool confirmed = false;
  };

  void OnConnection(bool connected) override;
  void OnReplies();
  void OnReply(const natsMsg* reply);
  void Confirm(uint64_t number);
  void Send(uint64_t number, Message& message);
  void SendOverdue(absl::Duration older_than);
  void ArmSweep();
  bool OpenInbox();

  Connection* const connection_;
  base::EventLoop* const loop_;
  const std::string subject_;
  const std::string id_;
  const std::shared_ptr<Replies> replies_;  // to where cnats's thread holds on

  std::unique_ptr<Inbox> inbox_;  // of `inbox_generation_` of the connection
  uint64_t inbox_generation_ = 0;
  std::vector<NatsPtr<natsMsg>> arrived_;  // kept for its capacity

  uint64_t published_ = 0;
  uint64_t confirmed_ = 0;
  uint64_t first_ = 1;               // the number of outstanding_.front()
  std::deque<Message> outstanding_;  // without gaps; confirmed ones leave from the front
  std::string last_error_;
  absl::AnyInvocable<void()> when_confirmed_;  // null: nobody asks
  base::Timer sweep_;
};

}  // namespace sluice::jetstream
