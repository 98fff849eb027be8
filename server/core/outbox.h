#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/backoff.h"
#include "base/timers.h"
#include "core/delivery.h"
#include "core/histogram.h"
#include "core/message_source.h"
#include "core/settlement.h"

namespace sluice::core {

// The verdicts of one consumer on their way to JetStream: sent at once while connected, kept while not. Loop only.
//
// A verdict that was written to a connection may still be lost with it. So each stays here until the server has
// confirmed a later one: JetStream acts on the verdicts of a consumer in their order, so one answer in kFenceEvery
// vouches for all before it. After a reconnect, or a question without an answer, what nobody has vouched for is sent
// again, as far as that is safe: an ACK always is; a TERM is until the ack deadline; a NAK is if it was not sent
// before. A second NAK could take the message from its next holder.
//
// That is as good as the order of the verdicts: a change of the consumer's leader may lose one and answer the next. So
// a verdict whose app waits for the server's word, a claimed one, is a request of its own, and ends with its own
// answer.
class Outbox {
 public:
  static constexpr uint64_t kFenceEvery = 256;  // verdicts; costs 0.4 % more messages
  static constexpr uint64_t kMostKept =
      1 << 20;  // beyond it the oldest are forgotten; only reached if the server never answers

  class Owner {
   public:
    virtual ~Owner() = default;
    // What became of verdicts that `session` had claimed: CONFIRMED or FAILED. Never from within Send().
    virtual void OnResults(uint64_t session, SettleOutcome outcome, std::vector<uint64_t> ids, std::string detail) = 0;
  };
  struct Claim {
    uint64_t session;  // its number; 0: nobody waits
    uint64_t id;       // of the delivery
  };
  // `unconfirmed`: verdicts that the server has not confirmed; 0 is success.
  using FenceCallback = absl::AnyInvocable<void(uint64_t unconfirmed)>;

  // `seed`: of the jitter in its retries.
  Outbox(base::Timers* timers, MessageSource* source, Owner* owner, uint64_t seed);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Ack, nak or term.
  void Send(const Delivery& delivery, const Settlement& settlement, Claim claim = {});
  // Of ack_policy: all: an ACK or TERM of a message and all before it. Those stay done, so it is safe at any time, and
  // its answer is that of all of `claims`.
  void SendRun(absl::string_view reply, const Settlement& settlement, absl::Span<const Claim> claims);

  // Tells the claimant of a verdict that takes effect without the server.
  void Confirm(Claim claim);
  // Calls back when the server has acted on all that was sent so far, or at `deadline`. Never from within this call.
  void Fence(absl::Time deadline, FenceCallback callback);
  // There will be no word on what `session` has claimed; 0: on what anyone has.
  void FailClaims(uint64_t session, const std::string& detail);

  void OnConnection(bool connected);
  void OnConfirmed(uint64_t tag, const absl::Status& status);

  bool connected() const { return connected_; }
  uint64_t unconfirmed() const { return end_ - begin_; }
  // From asking the server about a verdict until its answer: each claimed one, and one in kFenceEvery of the others.
  const Histogram& ack_duration() const { return ack_duration_; }

 private:
  struct Entry {
    std::string reply;
    std::string term_reason;
    Verdict verdict;
    bool sent;
    bool again;  // there was no answer: to be sent once more
    absl::Duration nak_delay;
    uint64_t as_consumer_sequence;
    absl::Time ack_deadline;
    absl::Time asked;           // about a claimed one, last
    std::vector<Claim> claims;  // of the same answer; empty: nobody waits
  };
  struct Waiter {
    Waiter(base::Timers* timers, uint64_t end, FenceCallback callback)
        : end(end), callback(std::move(callback)), timeout(timers) {}
    uint64_t end;  // waits for all entries before this one
    FenceCallback callback;
    base::Timer timeout;
  };
  // The tag of a claimed verdict is its position and this; that of another question, how far its answer vouches.
  static constexpr uint64_t kClaimTag = uint64_t{1} << 63;

  Entry& At(uint64_t position) { return ring_[position & (ring_.size() - 1)]; }
  Entry& Append();
  void TransmitLast();
  void Transmit(uint64_t position);
  bool SafeToSend(const Entry& entry) const;
  void SendAgain();
  void ConfirmLast();
  void AskAgainLater();
  void OnClaimAnswered(uint64_t position, const absl::Status& status);
  void Vouch(uint64_t end);
  void Forget();
  void WakeWaiters();
  // Ends the claims of an entry, which are told with all others of this turn of the loop.
  void Resolve(Entry& entry, SettleOutcome outcome, const std::string& detail = "");
  void Note(Claim claim, SettleOutcome outcome, const std::string& detail);
  void TellResults();

  base::Timers* const timers_;
  MessageSource* const source_;
  Owner* const owner_;
  bool connected_ = false;

  // Entries [begin_, end_), used again and again: their strings keep their room. The size is a power of two.
  std::vector<Entry> ring_;
  uint64_t begin_ = 0;
  uint64_t vouched_ = 0;  // those before it stay for their claims alone
  uint64_t end_ = 0;

  Histogram ack_duration_;

  absl::Time confirming_since_;
  uint64_t confirming_ = 0;            // all entries before this one are confirmed by the answer under way; 0: none is
  uint64_t confirm_at_ = kFenceEvery;  // ask with the verdict that makes it as many
  base::Timer retry_;                  // of questions that had no answer
  base::Backoff retry_backoff_;
  std::list<Waiter> waiters_;

  struct Result {
    SettleOutcome outcome;
    uint64_t id;
    std::string detail;
  };
  std::map<uint64_t, std::vector<Result>> results_;  // by session, to be told
  base::Timer tell_;
};

}  // namespace sluice::core
