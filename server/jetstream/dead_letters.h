#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "core/dead_letter_sink.h"
#include "jetstream/connection.h"
#include "jetstream/inbox.h"
#include "jetstream/loop_gate.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// What the server tells when it gives up a message: stream sequence and deliveries. False: `text` is no such advisory.
bool ParseMaxDeliveriesAdvisory(absl::string_view text, uint64_t* stream_sequence, uint64_t* deliveries);

// The dead letters of one durable, for core: publishes them and waits for their PubAcks, and hears the advisories on
// what the server itself gave up, one daemon of the fleet each (a queue group). Advisories are sent once and kept
// nowhere. Loop only; what cnats's thread receives waits in a mailbox.
class JetStreamDeadLetters final : public core::DeadLetterSink, private Connection::Listener {
 public:
  static constexpr absl::Duration kTimeout = absl::Seconds(5);

  // Both outlive it.
  JetStreamDeadLetters(Connection* connection, base::EventLoop* loop, std::string stream, std::string durable);
  ~JetStreamDeadLetters() override;

  void Start(core::DeadLetterSink::Listener* listener) override;
  void Publish(const core::DeadLetter& letter, uint64_t tag) override;
  void Fetch(uint64_t stream_sequence) override;
  void StopListening() override;

 private:
  class Advisories;

  void OnConnection(bool connected) override;
  void OnReplaced() override;
  void OnAdvisories();

  Connection* const connection_;
  const std::string stream_;
  const std::string durable_;
  const std::shared_ptr<LoopGate<JetStreamDeadLetters>> gate_;  // shared with cnats's threads
  const std::shared_ptr<Advisories> advisories_;                // the same

  core::DeadLetterSink::Listener* listener_ = nullptr;
  std::shared_ptr<Inbox> inbox_;      // shared with the task that drains it
  std::shared_ptr<Inbox> old_inbox_;  // of the connection before, drained; its end would cut short what is on its way
  uint64_t inbox_generation_ = 0;     // of the connection, when inbox_ was opened
  bool stopped_ = false;              // listens no more
  std::vector<NatsPtr<natsMsg>> arrived_;  // kept for its capacity
};

}  // namespace sluice::jetstream
