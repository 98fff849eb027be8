#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/timers.h"
#include "core/durable_config.h"
#include "core/message_source.h"
#include "jetstream/connection.h"
#include "jetstream/durable.h"
#include "jetstream/inbox.h"
#include "jetstream/loop_gate.h"

namespace sluice::jetstream {

// One durable consumer, for core: the pull protocol over a plain subscription of NATS, which works the same on every
// cnats, while cnats 3.4's own pull subscription overflows its array (nats.c #749). Each pull is answered on an inbox
// subject with its id, so that a status names its pull. Loop only; what cnats's thread receives waits in a mailbox.
class JetStreamSource final : public core::MessageSource, private Connection::Listener {
 public:
  struct Options {
    std::string stream;
    std::string durable;
    core::Manage manage = core::Manage::kEnsure;
    core::DurableConfig config;
    std::string priority_group{};  // of a pinned client (ordering: exclusive); empty: none
  };

  // Both outlive it.
  JetStreamSource(Connection* connection, base::EventLoop* loop, Options options);
  ~JetStreamSource() override;

  void Start(core::MessageSource::Listener* listener) override;
  void Attach() override;
  void Pull(const core::PullRequest& request) override;
  void Settle(absl::string_view reply, const core::Settlement& settlement) override;
  void Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) override;
  void Fence(absl::string_view reply, uint64_t tag) override;
  void RequestInfo() override;
  void RenewPin(absl::string_view pin_id, uint64_t id) override;
  void Unpin() override;
  void CloseIntake() override;

 private:
  class Intake;

  void OnConnection(bool connected) override;
  void OnReplaced() override;
  void RetireInboxes();
  absl::Status Subscribe();
  void SendPull(const core::PullRequest& request);
  void OnArrivals();
  void OnStatusMessage(const core::Message& message);
  void OnInboxEnd();
  void OnIntakeEnd();
  const absl::StatusOr<core::ConsumerInfo>& Noted(const absl::StatusOr<core::ConsumerInfo>& info);
  absl::string_view Payload(const core::Settlement& settlement);
  absl::string_view Subject(absl::string_view reply, const core::Settlement& settlement);

  Connection* const connection_;
  base::Timers* const timers_;
  const std::string stream_;
  const std::string consumer_;
  const std::string pull_subject_;
  const std::string priority_group_;
  const std::shared_ptr<LoopGate<JetStreamSource>> gate_;  // shared with cnats's threads
  const std::shared_ptr<Intake> intake_;                   // the same
  Durable durable_;

  core::MessageSource::Listener* listener_ = nullptr;
  std::shared_ptr<Inbox> inbox_;   // shared with the task that drains it
  uint64_t inbox_generation_ = 0;  // of the connection, when inbox_ was opened
  int open_inboxes_ = 0;           // more than one for a while, when a connection replaced another
  std::vector<std::shared_ptr<Inbox>>
      old_inboxes_;                              // of connections before, on which a pull may be open; not with OnEnd()
  base::Timer retire_;                           // by when it is not
  absl::Time pull_over_ = absl::InfinitePast();  // when the last pull has ended for certain
  bool term_reason_ = false;                     // the consumer's leader understands it
  bool closing_ = false;
  std::vector<core::Message> batch_;  // kept for its capacity
  std::string payload_;               // kept for its capacity
  std::string subject_;               // the same
};

}  // namespace sluice::jetstream
