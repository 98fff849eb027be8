#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/delivery.h"
#include "core/outbox.h"
#include "core/settlement.h"

namespace sluice::core {

// Of ack_policy: all, where an ACK settles its message and all before it: what JetStream waits for, message by message,
// and how far from its front apps have finished it. Only that prefix is acked, so nothing is settled that no app has
// done. Owned by Consumer. Loop only.
//
// What an app has finished stays finished, whatever becomes of the delivery: if the message comes again, no app sees
// it. So a prefix may be acked again at any time, by any pod.
//
// The prefix is known up to `ceiling`. A message that got lost on its way here is outstanding without being here, and
// an ACK of a later one would settle it. So the ceiling is where all was here last: it comes down when a consumer
// sequence is missing, or the connection was gone, and goes when a takeover (takeover.h) has gathered all again.
//
// JetStream takes an ACK or a NAK for old if its consumer sequence is not above that of the last ACK, which a message
// that was delivered again would lift above all that were delivered before (measured on 2.9.10, 2.10.27 and 2.15.2). So
// each ACK bears the least consumer sequence that counts: one more than the last one's. There have been as many
// deliveries at least, so what is still out has a higher one. And when an ack wait ends while nothing is outstanding,
// the server lifts that to what it delivered last, though CONSUMER.INFO does not say so: what comes first then is the
// least.
class AckFloor {
 public:
  // An ACK of JetStream's, or a TERM, and what it stands for.
  struct Run {
    std::string reply;  // of its last message
    bool terminates = false;
    std::string term_reason;
    uint64_t consumer_sequence = 0;
    std::vector<Outbox::Claim> claims;
    std::vector<Delivery*> deliveries;  // FINISHED, those that are here
  };

  // `max_unacked`: of ConsumerOptions.
  explicit AckFloor(uint64_t max_unacked) : max_unacked_(max_unacked) {}

  // A message has come. False: an app has finished it before.
  bool Add(const Message& message);
  enum class Finishing {
    kKept,     // until its turn comes
    kTwice,    // another delivery of it is kept for that: this one is the caller's to let go of
    kSettled,  // the same, and so is it to confirm `claim`
  };
  // An app is done with it.
  Finishing Finish(Delivery* delivery, const Settlement& settlement, Outbox::Claim claim);
  // The same by an ACK on what is here no more. False: there is nothing to ack; then `claim` is the caller's to
  // confirm.
  bool FinishGone(const Delivery& acked, Outbox::Claim claim);
  // A finished one has come again: this delivery keeps it from now on, and not the one that is returned, if any.
  Delivery* Keep(Delivery* finished);
  // JetStream gives it up, so that it waits for no ACK of it.
  void GiveUp(uint64_t stream_sequence);
  // A FINISHED delivery goes: it stays finished, and comes again.
  void Forsake(const Delivery& finished);
  // A FINISHED delivery is given back, to be done once more. Its claims are the caller's to answer.
  std::vector<Outbox::Claim> Reopen(const Delivery& finished);
  // Takes the claims of `session` on what is not acked; the caller answers them.
  std::vector<uint64_t> TakeClaims(uint64_t session);

  // Settled, or finished by an app.
  bool IsDone(uint64_t stream_sequence) const;
  // As far as we know; if KnowsAll(), all others that were delivered are outstanding.
  bool IsSettled(uint64_t stream_sequence) const { return stream_sequence <= floor_; }
  bool KnowsAll() const { return ceiling_ == kNoLimit; }
  bool IsOutstanding(uint64_t stream_sequence) const;
  // The next prefix that may be acked: all of it, or a message at a time. A TERM ends it. `held_only`: no further than
  // what is held here, as another pod acks what is not.
  std::optional<Run> TakeRun(bool coalesce, bool held_only = false);
  // Something is missing: it is not known to be here.
  void Doubt();
  // A sequence was missing, or what was acked came again, since the last call.
  bool TakeSuspicion() { return std::exchange(suspicious_, false); }
  // By the server's word, all up to `stream_sequence` is settled; its ACKs have gone to `consumer_sequence`.
  Run OnServerFloor(uint64_t stream_sequence, uint64_t consumer_sequence);
  // Exactly these are outstanding, ascending, and all are here; `delivered` is the last consumer sequence.
  // What was finished and is not among them is settled; its claims.
  std::vector<Outbox::Claim> OnAllHere(const std::vector<uint64_t>& outstanding, uint64_t delivered);
  // The durable was made anew; the claims on what the former one had.
  std::vector<Outbox::Claim> Reset();

  // An app may be given what is not beyond this: so max_unacked messages at most are finished and not acked.
  uint64_t may_start_up_to() const {
    if (!KnowsAll()) return 0;
    return entries_.size() <= max_unacked_ ? kNoLimit : entries_[max_unacked_ - 1].stream_sequence;
  }
  // What a NAK bears, so that it does not count as old either: it lies above all ACKs as long as anything is out.
  uint64_t consumer_sequence() const { return consumer_sequence_; }
  // The first that is not acked, unless it is finished and may be; 0: there is none.
  uint64_t blocked_by() const;

 private:
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
  enum class State : uint8_t { kOpen, kAcked, kTerminated };
  struct Entry {
    explicit Entry(uint64_t stream_sequence) : stream_sequence(stream_sequence) {}
    uint64_t stream_sequence;
    State state = State::kOpen;
    bool came = false;             // from this durable, so that JetStream knows of it
    Delivery* finished = nullptr;  // null: not finished, or not here
    std::string reply;             // of a finished one that is not here
    std::string term_reason;
    std::vector<Outbox::Claim> claims;
  };

  std::deque<Entry>::iterator Find(uint64_t stream_sequence);
  Entry* FindEntry(uint64_t stream_sequence);
  Entry& FindOrMake(uint64_t stream_sequence);
  bool MayAck(const Entry& entry) const {
    return entry.state != State::kOpen && entry.came && entry.stream_sequence <= ceiling_;
  }
  static void Append(std::vector<Outbox::Claim>& claims, Outbox::Claim claim);

  const uint64_t max_unacked_;
  std::deque<Entry> entries_;       // ascending
  uint64_t floor_ = 0;              // stream sequence: this one and all before are settled, as far as we know
  uint64_t acked_as_ = 0;           // the consumer sequence of the last ACK
  uint64_t ceiling_ = 0;            // kNoLimit: all is here
  uint64_t consumer_sequence_ = 0;  // of the last message
  bool suspicious_ = false;
};

}  // namespace sluice::core
