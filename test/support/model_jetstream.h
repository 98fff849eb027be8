#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/message_source.h"
#include "core/settlement.h"
#include "test/support/dice.h"
#include "test/support/model_pin.h"

namespace sluice::test {

// A message as the stream keeps it.
struct StoredMessage {
  uint64_t sequence = 0;
  std::string subject;
  std::string data;
  absl::Time stored;
};

// One delivery by the server, received or not.
struct Attempt {
  uint64_t number = 0;  // from 0, over all incarnations of the consumer
  uint64_t stream_sequence = 0;
  uint64_t consumer_sequence = 0;
  uint64_t num_delivered = 0;
  uint64_t num_pending = 0;
  uint64_t incarnation = 0;  // of the consumer
  int connection = 0;        // 0: nobody was there any more
  int owner = 0;             // the daemon behind the connection; 0: nobody
  absl::Time sent;
  std::string reply;
  std::string pin_id;  // of a pinned client's consumer
};

// What a server sends on a subscription: a message, or a status.
struct Frame {
  const Attempt* attempt = nullptr;
  core::PullStatus status = {};
};

// One stream with one durable pull consumer on nats-server, with the habits (and the defects) that facts/jetstream.md
// found in the real one. Calls take effect at once: who calls has done the travelling (ModelSource). Loop only.
class ModelJetStream {
 public:
  struct Options {
    // ack_wait, backoff, max_deliver, max_ack_pending, the limits of a pull; a priority_timeout makes it a pinned
    // client's.
    core::ConsumerInfo consumer;
    size_t max_waiting = 512;
    // A pull waits this long at most before it is looked at, while verdicts and UNSUB overtake it.
    absl::Duration most_pull_queueing = absl::Milliseconds(2);
    // A pull looked at after the UNSUB: its batch is delivered to nobody (all versions).
    bool unsub_defect = true;
    // A pull that waits at the UNSUB swallows one redelivery, unless CONSUMER.INFO comes before (before 2.10.16).
    bool stale_waiters = false;
    // A message leaves this late at most, when the followers know of it; "Batch Completed" and "too large" do not wait
    // (2.12 and later, replicas). 0: at once.
    absl::Duration most_replication = absl::ZeroDuration();
    bool ack_all = false;  // ack_policy: all
    uint64_t seed = 1;
  };

  // How a verdict leaves the daemon.
  struct Sending {
    bool confirm = false;    // asks for an answer
    bool pull_open = false;  // while the server may still answer a pull of this daemon
    int owner = 0;           // the daemon
  };

  // Sees everything, for the test to judge.
  class Witness {
   public:
    virtual ~Witness() = default;
    // At the server.
    virtual void OnSent(const Attempt&) {}
    virtual void OnAckWaitOver(const Attempt&) {}
    virtual void OnSentToTheDead(const Attempt&) {}  // on a connection that is gone, which the server has not noticed
    virtual void OnVerdictLost(const Attempt&) {}    // no leader, or no such consumer
    virtual void OnSettled(const Attempt& /*by*/, core::Verdict) {}  // acked or terminated
    // With ack_policy: all: `by` has acked or terminated it, among others.
    virtual void OnSettledUpTo(const Attempt& /*by*/, const Attempt& /*settled*/) {}
    virtual void OnNaked(const Attempt& /*by*/, const Attempt& /*current*/) {}
    virtual void OnExhausted(const Attempt&) {}  // max_deliver: gone for good
    // At the daemon.
    virtual void OnLink(int /*owner*/, bool /*up*/) {}
    virtual void OnPull(int /*owner*/, const core::PullRequest&) {}
    virtual void OnPullStatus(int /*owner*/, core::PullStatus::Kind) {}
    virtual void OnIntakeClosed(int /*owner*/) {}
    virtual void OnInfoRequested(int /*owner*/) {}
    virtual void OnUnpin(int /*owner*/) {}
    virtual void OnReceived(const Attempt&) {}
    virtual void OnVerdictSent(const Attempt&, const core::Settlement&, Sending) {}
    virtual void OnMisuse(int /*owner*/, absl::string_view /*what*/) {}  // the contract of MessageSource is broken
  };

  // The far end of a connection.
  class Client {
   public:
    virtual ~Client() = default;
    virtual int owner() const = 0;
    // They leave the server now.
    virtual void OnFrames(int connection, std::vector<Frame> frames) = 0;
    virtual void OnServerGone() = 0;
  };

  ModelJetStream(base::Timers* timers, Options options, Witness* witness);

  // --- for clients ---
  bool running() const { return running_; }
  int Connect(Client* client);  // names the connection, from 1
  void Disconnect(int connection);
  void Subscribe(int connection);
  void Unsubscribe(int connection);
  void Pull(int connection, const core::PullRequest& request);
  // A pull that has expired when it is looked at.
  void RenewPin(int connection, std::string pin_id, uint64_t id);
  // True if it is answered.
  bool Unpin();
  // True if it is answered.
  bool Settle(absl::string_view reply, const core::Settlement& settlement);
  // nullopt: no answer.
  std::optional<absl::StatusOr<core::ConsumerInfo>> Attach(bool managed);
  std::optional<absl::StatusOr<core::ConsumerInfo>> Info();
  const Attempt& FindAttempt(absl::string_view reply) const;
  const StoredMessage& message(uint64_t stream_sequence) const { return stream_[stream_sequence - 1]; }

  // --- for the test: what happens to it ---
  uint64_t Publish(std::string subject, std::string data);
  // Nobody leads for so long: nothing is delivered, what is sent gets lost; open pulls end, half of them without a
  // word.
  void ChangeLeader(absl::Duration leaderless);
  // All connections break; what is pending stays pending.
  void Restart(absl::Duration down);
  void DeleteConsumer();
  // From the first message that is not settled (the stream keeps those, as a work queue does).
  void CreateConsumer();
  void Pause(absl::Time until);
  void RefusePulls(core::PullStatus::Kind kind, int count);
  void RefuseAttach(absl::Status status, int count);
  // The MAX_DELIVERIES advisory.
  void WhenExhausted(std::function<void(const Attempt&)> callback) { when_exhausted_ = std::move(callback); }

  // --- for the test: how it stands ---
  bool exists() const { return exists_; }
  bool leading() const { return running_ && now() >= leaderless_until_; }
  uint64_t published() const { return stream_.size(); }
  bool settled(uint64_t stream_sequence) const { return settled_[stream_sequence - 1]; }
  bool exhausted(uint64_t stream_sequence) const { return exhausted_.contains(stream_sequence); }
  uint64_t unsettled() const { return unsettled_; }  // neither settled nor exhausted
  size_t num_ack_pending() const { return pending_.size(); }
  size_t num_waiting() const { return waiting_.size(); }
  const Attempt* pending(uint64_t stream_sequence) const;  // null: not pending
  std::vector<const Attempt*> outstanding() const;         // by stream sequence
  bool IsPinned(int owner) const;
  const std::string& pin_id() const { return pin_.id(); }
  core::ConsumerInfo info() const;
  uint64_t incarnation() const { return incarnation_; }

 private:
  struct Connection {
    Client* client;
    bool subscribed = false;
    std::vector<Frame> out;  // of one Pump()
  };
  struct Waiting {
    uint64_t number;
    int connection;
    core::PullRequest request;
    uint32_t batch_left;
    uint64_t bytes_left;
    absl::Time last_sent;
    bool stale = false;
  };
  struct Pending {
    const Attempt* attempt;
    absl::Time since;  // the ack wait runs from here
    bool queued = false;
  };

  absl::Time now() const { return timers_->now(); }
  Connection* FindConnection(int connection);
  void LookAt(int connection, const core::PullRequest& request);
  std::optional<core::PullStatus::Kind> Refusal(const core::PullRequest& request);
  void SendStatus(int connection, uint64_t pull_id, core::PullStatus::Kind kind, std::optional<uint64_t> unsent = {});
  void EndWaiting(core::PullStatus::Kind kind, double told);
  void Heartbeat(uint64_t waiting_number);
  void Expire(uint64_t waiting_number);

  std::optional<Waiting> NextWaiting();
  std::optional<uint64_t> NextSequence();
  void Pump();
  void SendOut(int connection, std::vector<Frame> frames);
  const Attempt& SendNext(uint64_t stream_sequence, int connection);
  void DeliverToNobody(uint64_t most);
  void Requeue(uint64_t stream_sequence, Pending& pending);
  absl::Time AckDeadline(const Pending& pending) const;
  void CheckPending();
  void ArmCheck(absl::Time due);
  void Finish(uint64_t stream_sequence);
  void FinishUpTo(const Attempt& by, const core::Settlement& settlement);

  base::Timers* const timers_;
  const Options options_;
  Witness* const witness_;
  Dice dice_;

  bool running_ = true;
  uint64_t term_ = 1;                                // of the leader
  absl::Time replicated_at_ = absl::InfinitePast();  // by when the followers know of what was sent last
  bool exists_ = true;
  absl::Time leaderless_until_ = absl::InfinitePast();
  absl::Time paused_until_ = absl::InfinitePast();
  core::PullStatus::Kind refuse_kind_ = core::PullStatus::Kind::kUnknown;
  int refuse_pulls_ = 0;
  absl::Status refuse_attach_status_;
  int refuse_attach_ = 0;

  std::deque<StoredMessage> stream_;
  std::deque<bool> settled_;
  std::set<uint64_t> exhausted_;
  std::function<void(const Attempt&)> when_exhausted_;
  uint64_t unsettled_ = 0;

  std::map<int, Connection> connections_;
  int last_connection_ = 0;

  // The consumer.
  uint64_t incarnation_ = 1;
  uint64_t next_sequence_ = 1;
  uint64_t last_consumer_sequence_ = 0;
  uint64_t floor_ = 0;                   // of ack_policy: all, by stream sequence
  uint64_t consumer_floor_ = 0;          // the same by consumer sequence
  std::map<uint64_t, Pending> pending_;  // by stream sequence
  std::deque<uint64_t> redelivery_;      // in the order of the NAKs and of the ends of ack waits
  std::unordered_map<uint64_t, uint64_t> num_delivered_;
  std::deque<Waiting> waiting_;
  uint64_t last_waiting_ = 0;
  ModelPin pin_;
  std::deque<Attempt> attempts_;
  base::Timer check_;
  absl::Time check_at_ = absl::InfiniteFuture();
};

}  // namespace sluice::test
