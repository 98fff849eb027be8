#pragma once

#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "sluice/message.h"
#include "sluice/options.h"

namespace sluice {

namespace internal {
class Session;
class Subscription;
struct Frame;
}  // namespace internal

// The consuming of one consumer, until it is drained or stopped. Reconnects for ever, unless the daemon says that there
// is no point (unknown consumer, bad request, no permission, not a Sluice daemon). Methods are thread-safe; a handler
// must not call those that wait. Movable; destroying it is Stop() and waits for the handlers that run.
class Consumption {
 public:
  Consumption(Consumption&&) noexcept;
  Consumption& operator=(Consumption&&) noexcept;
  ~Consumption();

  // Ends it gracefully: no more messages come, handlers finish, their verdicts are confirmed. Waits for the end. The
  // daemon NAKs what is still held after `timeout`; absent: its `drain.timeout`.
  DrainReport Drain(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  // The same without waiting: for handlers, and for loops over Messages.
  void StartDrain(std::optional<std::chrono::milliseconds> timeout = std::nullopt);

  // Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the daemon
  // knows, 5 s at most.
  void Stop();

  // Waits until it has ended. OK after Drain() and Stop(); else why the daemon refused.
  grpc::Status Closed();
  bool is_closed() const;

  // Of the drain this app asked for; valid once it is closed.
  DrainReport drain_report() const;
  Stats stats() const;
  const std::string& client_id() const;

  // For the library.
  explicit Consumption(std::unique_ptr<internal::Subscription> subscription);
  internal::Session& session() const;

 private:
  std::unique_ptr<internal::Subscription> subscription_;
};

// The same as a range, for loops of one's own:
//
//   for (sluice::Message& m : client.Messages("orders")) { work(m.data()); m.Ack(); }
//
// Ends when the consumption does. A message without a verdict at the end of its turn naks, unless it was moved away.
// Several threads may each run a loop over the same Messages.
class Messages : public Consumption {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Message;
    using difference_type = std::ptrdiff_t;
    using pointer = Message*;
    using reference = Message&;

    Message& operator*() { return *message_; }
    Message* operator->() { return &*message_; }
    Iterator& operator++();  // lets go of the message, then waits for the next
    bool operator==(std::default_sentinel_t) const { return !message_; }

   private:
    friend class Messages;
    explicit Iterator(internal::Session* session);

    internal::Session* session_;
    std::shared_ptr<internal::Frame> frame_;  // where the next message comes from
    std::optional<Message> message_;
  };

  using Consumption::Consumption;

  Iterator begin() { return Iterator(&session()); }  // waits for a message
  std::default_sentinel_t end() { return {}; }
};

// For main(): waits for SIGTERM or SIGINT, drains, returns the report; or returns when the consumption ends by itself.
// A second SIGINT kills the process. Not from several threads at once.
DrainReport RunUntilSignal(Consumption& consumption,
                           std::optional<std::chrono::milliseconds> drain_timeout = std::nullopt);

}  // namespace sluice
