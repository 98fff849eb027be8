#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/message.h"
#include "core/settlement.h"

namespace sluice::core {

// What the server says of a durable consumer: the parts of CONSUMER.INFO that core acts on.
struct ConsumerInfo {
  absl::Duration ack_wait = absl::Seconds(30);
  std::vector<absl::Duration> backoff;  // ack wait by attempt, the last one for all later attempts; empty: ack_wait
  int64_t max_deliver = -1;             // attempts; -1: no limit
  int64_t max_ack_pending = 0;          // 0 or less: no limit
  int64_t max_request_batch = 0;        // most messages in a pull; 0: no limit
  int64_t max_request_max_bytes = 0;    // most bytes in a pull; 0: no limit
  absl::Duration max_request_expires = absl::ZeroDuration();  // longest pull; 0: no limit
  absl::Time paused_until = absl::InfinitePast();             // in the future: the server delivers nothing until then
  uint64_t num_pending = 0;
  uint64_t num_ack_pending = 0;
  uint64_t delivered_consumer_sequence = 0;  // of the last delivery
  uint64_t delivered_stream_sequence = 0;    // of the last message that was delivered for the first time
  std::string pinned_client_id;              // the pin that is in force; empty: none, or not a pinned client's consumer
  absl::Duration priority_timeout = absl::ZeroDuration();  // how long a pin lasts after its last pull; 0: none
  bool created = false;                                    // by this Attach(): there was none before
  int64_t created_ns = 0;                    // Unix time at which the server made it: names this incarnation
  uint64_t ack_floor = 0;                    // stream sequence: this one and all before it are settled
  uint64_t ack_floor_consumer_sequence = 0;  // the same by consumer sequence; with ack_policy: all that of the last ACK
  bool term_reason = true;                   // the server understands "+TERM reason" (from 2.10.4)
  // It says so when a pull's time is over, whatever it is at. 2.9.10 does not if it has a message for it just then.
  bool tells_expiry = true;

  // The ack wait of attempt `num_delivered` (from 1).
  absl::Duration AckWait(uint64_t num_delivered) const;
};

// One pull request. There is one open at a time, so that equal pods get equal shares.
struct PullRequest {
  uint64_t id = 0;  // from 1, named again in PullStatus
  uint32_t batch = 0;
  uint64_t max_bytes = 0;  // 0: no limit
  absl::Duration expires;
  absl::Duration heartbeat;  // 0: none; else at most half of `expires`
  std::string pin_id{};      // of a pinned client's consumer; empty: of a client that is not pinned, and would be
};

// A status message of the server on a pull.
struct PullStatus {
  enum class Kind {
    kHeartbeat,         // 100: the pull is alive
    kExpired,           // 408, 404, 409 Batch Completed: ended, the rest of the batch did not come
    kMessageTooLarge,   // 409 Message Size Exceeds MaxBytes: ended, the next message needs more bytes
    kLimitExceeded,     // 409 Exceeded Max…: refused; later, or smaller
    kLeadershipChange,  // 409: ended, ask the new leader
    kServerShutdown,    // 409: ended, the connection will go
    kConsumerDeleted,   // 409
    kPushBased,         // 409 Consumer is push based
    kNoResponders,      // 503: the consumer does not exist, or JetStream is not there
    kBadRequest,        // 400
    kWrongPin,          // 423: ended or refused, its pin is no longer in force
    kUnknown,           // anything else: ended
  };
  Kind kind = Kind::kUnknown;
  uint64_t pull_id = 0;
  std::optional<uint64_t> unsent;  // Nats-Pending-Messages: of its batch, what the server will not send; if told
  std::string description;         // for the log: code and text as the server sent them
};

// Port: one durable consumer on JetStream, as core uses it. jetstream/ implements it over cnats, test/support with a
// model of the server. Loop only; nothing blocks and nothing calls back from within a call.
class MessageSource {
 public:
  // Told on the loop. Outlives the source.
  class Listener {
   public:
    virtual ~Listener() = default;
    // In the order of their arrival. The listener takes the messages out of the span.
    virtual void OnMessages(absl::Span<Message> batch) = 0;
    // After all messages that the server sent before it; but of those that it counts as sent, some may still come.
    virtual void OnPullStatus(const PullStatus& status) = 0;
    // Ends each Attach(). NOT_FOUND: no such stream or consumer, and it is not managed · FAILED_PRECONDITION: it
    // exists, but not as configured · UNAVAILABLE, DEADLINE_EXCEEDED: no answer. The message tells people what to do.
    virtual void OnAttached(const absl::StatusOr<ConsumerInfo>& info) = 0;
    // Ends each RequestInfo(), errors as above.
    virtual void OnInfo(const absl::StatusOr<ConsumerInfo>& info) = 0;
    // Ends each Confirm() and Fence(), not necessarily in their order. An error: unknown whether the server acted on
    // it.
    virtual void OnConfirmed(uint64_t tag, const absl::Status& status) = 0;
    // Ends CloseIntake(): every message that had arrived was handed to OnMessages.
    virtual void OnIntakeClosed() = 0;
    // Ends each Unpin(), errors as those of OnAttached().
    virtual void OnUnpinned(const absl::Status& status) = 0;
    // The connection came or went. Down: open pulls are gone, and so may be what was sent last. Pending Attach, Info
    // Confirm and Fence calls still end, with an error.
    virtual void OnConnection(bool connected) = 0;
  };

  virtual ~MessageSource() = default;

  // Once, before anything else. OnConnection follows if it is connected by then, else when it is.
  virtual void Start(Listener* listener) = 0;

  // Subscribes if it is not yet, creates or checks the consumer as configured (manage: ensure, verify, off), and asks
  // for its info. One at a time, only while connected; ends by itself after 5 s.
  virtual void Attach() = 0;
  // Only while attached and connected.
  virtual void Pull(const PullRequest& request) = 0;
  // Sends a verdict to `reply`, without an answer. Only while connected, in order.
  virtual void Settle(absl::string_view reply, const Settlement& settlement) = 0;
  // The same, and asks for the answer: when it comes, the server has acted on this and all earlier verdicts. Ends by
  // itself after 2 s.
  virtual void Confirm(absl::string_view reply, const Settlement& settlement, uint64_t tag) = 0;
  // The same question without a verdict: it touches no message. `reply`: of any message of this consumer.
  virtual void Fence(absl::string_view reply, uint64_t tag) = 0;
  // CONSUMER.INFO; also makes servers before 2.10.16 forget stale pulls. Ends by itself after 2 s.
  virtual void RequestInfo() = 0;
  // Of a pinned client's consumer, only while attached and connected: a pull that takes nothing, so that the pin lasts
  // for another priority_timeout. Its end names `id`: kExpired, if no other client is pinned; kWrongPin.
  virtual void RenewPin(absl::string_view pin_id, uint64_t id) = 0;
  // Ends whichever pin is in force: the next pull of any client may be pinned. Only while connected; ends by itself
  // after 2 s.
  virtual void Unpin() = 0;
  // Ends the subscription after what has already arrived. Once; no Pull or Attach afterwards.
  virtual void CloseIntake() = 0;
};

}  // namespace sluice::core
