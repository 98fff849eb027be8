/// @file
/// One attempt at one message.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/verdict.h"

namespace sluice {

namespace internal {
struct DeliveryView;
struct Frame;
struct Held;
class Session;
class Turn;
class View;
}  // namespace internal

/// One attempt at one message, and the duty to settle it. Move-only: whoever has it owes the verdict. One that is
/// destroyed without a verdict naks, so that nothing is forgotten.
///
/// Content is bytes: NATS promises no character set. The views live as long as the Message, also after its verdict.
/// They point into the frame that it came in, so a Message that is kept keeps all of that frame in memory: at most 256
/// KiB of messages (fewer with ConsumeOptions::max_batch), or the one that is larger. Settling, cancelled() and
/// deadline() are thread-safe; a moved-from Message may only be destroyed or assigned to.
class Message {
 public:
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept;
  ~Message();

  std::string_view subject() const;
  std::string_view data() const;
  std::string_view key() const;  ///< the daemon's ordering key; empty: it has none
  /// All headers in their order; names may repeat.
  std::vector<std::pair<std::string_view, std::string_view>> headers() const;
  /// The first value of a header; its name is case-sensitive.
  std::optional<std::string_view> header(std::string_view name) const;

  uint64_t stream_sequence() const;    ///< position in the JetStream stream, from 1
  uint64_t consumer_sequence() const;  ///< position among the consumer's deliveries, from 1
  uint64_t num_delivered() const;      ///< attempts so far with this one, from 1
  uint64_t num_pending() const;        ///< messages of the stream that the consumer had not delivered yet
  std::chrono::system_clock::time_point timestamp() const;  ///< when JetStream stored it

  /// Settles it. Only the first verdict counts. Never blocks on the network: verdicts are queued and go out together.
  /// @return false: there was a verdict before, or the message was moved away; nothing is done.
  bool Settle(const Verdict& verdict);
  bool Ack() { return Settle(sluice::Ack()); }  ///< done
  /// Failed: again, not before `delay` from now.
  bool Nak(std::chrono::milliseconds delay = std::chrono::milliseconds(0)) { return Settle(sluice::Nak(delay)); }
  bool Term(std::string_view reason = {}) { return Settle(sluice::Term(reason)); }  ///< hopeless: never again

  /// Settles it, and tells what became of the verdict. Needs ConsumeOptions::confirm.
  /// @param told  called once, on the consumption's thread or at once; be quick. Not called if this returns false.
  /// @throws std::logic_error  `confirm` is not set; the message has no verdict yet.
  bool Settle(const Verdict& verdict, std::function<void(Outcome)> told);
  /// The same to wait for; kNotHeld if there was a verdict before. Not on the consumption's thread (its hooks).
  std::future<Outcome> Confirm(const Verdict& verdict);

  /// Still at work: restarts the ack wait and the daemon's longest lease (10 min by default). The daemon keeps the ack
  /// wait from running out by itself, so only work that takes longer than the lease needs this.
  void InProgress();

  /// True once nobody waits for this verdict any more: its lease ended, the daemon was lost, a drain's deadline is
  /// over, or the consumption stopped. JetStream will deliver the message again; long work may as well give up. May
  /// turn false again, if the message comes back while this one is still at work: it then stands for the new attempt.
  bool cancelled() const;
  /// The same to be woken by. Once it is stopped it stays so; after a return of the message this gives a new one.
  std::stop_token stop_token() const;

  /// When the lease ends, or the drain if one is running: a verdict is due before.
  std::chrono::system_clock::time_point deadline() const;

  /// @cond INTERNAL
  Message(std::shared_ptr<internal::Frame> frame, size_t index) : frame_(std::move(frame)), index_(index) {}
  /// @endcond

 private:
  friend class internal::Session;  // settles many at once
  friend class internal::Turn;
  friend class internal::View;
  internal::Held& held() const;
  const internal::DeliveryView& delivery() const;

  std::shared_ptr<internal::Frame> frame_;  // null: moved from
  size_t index_;
};

/// What is handed out together, in the order of delivery.
using Batch = std::span<Message>;

}  // namespace sluice
