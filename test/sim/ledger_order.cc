// The order within a key, as a daemon with ordering: key has to keep it among what is there.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

std::string Ledger::KeyOf(const Attempt& attempt) const {
  core::Message message;
  message.subject = server_->message(attempt.stream_sequence).subject;
  return std::string(daemons_.at(attempt.owner).options.key.KeyOf(message));
}

void Ledger::OnReceivedInOrder(const Attempt& attempt) {
  std::vector<uint64_t>& numbers = daemons_.at(attempt.owner).received_by_key[KeyOf(attempt)];
  for (uint64_t number : numbers) {
    const bool same = attempts_[number]->stream_sequence == attempt.stream_sequence;
    fates_[number].replaced |= same && !fates_[number].buried && !WithAnApp(*attempts_[number], fates_[number]);
  }
  numbers.push_back(attempt.number);
}

// An ACK settles its message, and so whatever other attempt at it lies here unseen. Mutation: no DropUnseenTwins()
// ("given although its app has acked another attempt at it": seed 371 of ExclusiveEverything).
void Ledger::ReplaceTwins(const Attempt& acked, int daemon) {
  DaemonRecord& record = daemons_.at(daemon);
  if (!record.ordered()) return;
  for (uint64_t number : record.received_by_key[KeyOf(acked)]) {
    const Attempt& twin = *attempts_[number];
    Fate& fate = fates_[number];
    const bool same = number != acked.number && twin.stream_sequence == acked.stream_sequence;
    if (!same || WithAnApp(twin, fate) || fate.sent || fate.buried) continue;
    // The ACK settles what a namesake of the durable has delivered as well. But only a daemon that has not heard yet
    // that the durable was made anew takes the two for twins; another may give it to an app.
    fate.replaced = true;
    fate.acked_by_twin = twin.incarnation == acked.incarnation;
    fate.acked_by_namesake |= !fate.acked_by_twin;
  }
}

// Its last attempt from here has failed.
bool Ledger::Exhausted(const Attempt& attempt, const Fate& fate) const {
  const uint64_t most = daemons_.at(attempt.owner).options.redelivery.max_attempts;
  return fate.said == Verdict::kNak && most > 0 && attempt.num_delivered - 1 + fate.failures >= most;
}

// The daemon has done with it.
bool Ledger::Finished(const Attempt& attempt, const Fate& fate) const {
  const bool settled = fate.said == Verdict::kAck || fate.said == Verdict::kTerm || Exhausted(attempt, fate);
  const bool over = (settled && !fate.buried) || fate.letter_stored || fate.let_go;
  return over || fate.sent || fate.replaced || Expired(attempt, fate);
}

bool Ledger::WithAnApp(const Attempt& attempt, const Fate& fate) const {
  return fate.seen && !fate.said && !Finished(attempt, fate) && BlameForRelease(attempt, fate) != nullptr;
}

// The daemon gave it back, or let its lease end, and JetStream has not delivered it again to anybody. BackOff shifts a
// delayed NAK, and a question that comes meanwhile sets it back: then nobody knows when it is due.
bool Ledger::OnItsWayBack(const Attempt& attempt, const Fate& fate) const {
  if (fate.nak_due != absl::InfinitePast() && !server_->info().backoff.empty()) return false;
  if (ExtendedInDoubt(attempt)) return false;
  const bool given_back = fate.sent == Verdict::kNak && !fate.said;
  const bool expired = !fate.sent && Expired(attempt, fate);
  return (given_back || expired) && server_->pending(attempt.stream_sequence) == &attempt;
}

// Its last delivery was to another daemon, or was lost: it was among JetStream's redeliveries already, at a place that
// nobody chose.
bool Ledger::CameByAnotherDaemon(const Attempt& attempt) const {
  for (uint64_t number = attempt.number; number-- > 0;) {
    const Attempt& earlier = *attempts_[number];
    if (earlier.stream_sequence == attempt.stream_sequence) {
      return earlier.owner != attempt.owner || !fates_[number].received;
    }
  }
  return false;
}

// Mutations that this has caught: a broken stream whose messages leave their lanes at once ("two of one key"); an
// arrival that does not take the place of a later one that is READY, what an app leaves that goes to the dispatcher
// instead of its lane, LeaveReturning() that only leaves ("before its predecessor"); LeaveAbsent() that only leaves, a
// kServerIsLate of 0 ("on its way back").
void Ledger::CheckOrder(const Attempt& attempt, absl::Time taken) {
  for (uint64_t number : daemons_.at(attempt.owner).received_by_key.at(KeyOf(attempt))) {
    if (number == attempt.number) continue;
    if (const char* blame = BlameForOrder(attempt, *attempts_[number], taken)) {
      return Fail(absl::StrCat(blame, ": attempt ", attempt.number, ", with attempt ", number));
    }
  }
}

// `attempt` is given to an app, which took it at `taken` at the earliest; `other` is of the same key.
const char* Ledger::BlameForOrder(const Attempt& attempt, const Attempt& other, absl::Time taken) const {
  const Fate& fate = fates_[other.number];
  if (taken < now() && fate.adopted_at >= taken) return nullptr;  // brought back meanwhile
  if (WithAnApp(other, fate)) return "two of one key are with the apps";
  // Who cannot be given back may be given out of its turn.
  if (other.stream_sequence >= attempt.stream_sequence || LastAttempt(attempt)) return nullptr;
  if (taken < now() && (fate.lease_from >= taken || fate.sent_at >= taken)) return nullptr;  // came, or went, since
  // It was let go of, for JetStream to deliver it again, and a takeover has not waited for that; or it was settled.
  const bool never_comes = server_->settled(other.stream_sequence);
  if (IsForsaken(fate) && (never_comes || MayHaveMiscounted(OwnerOf(attempt), other))) return nullptr;
  // With ack_policy: all it is done once an app has finished any attempt at it.
  const bool done = daemons_.at(other.owner).options.ack_all && DoneByAnApp(other.stream_sequence);
  // After a stall a message may be let go of before its ack wait is over; it has not come back then. Mutation: a
  // LoseFromLane() that goes by the ack deadline alone.
  const bool let_go_early = !done && !fate.sent && !fate.replaced && !fate.expired && now() < fate.own_deadline &&
                            fate.ends_first < fate.own_deadline && server_->pending(other.stream_sequence) == &other;
  if (let_go_early) return "given before its predecessor, let go of after a stall";
  if (!Finished(other, fate) && !done) return "given before its predecessor";
  const bool overtakes = !done && calm_nats_ && OnItsWayBack(other, fate) && !CameByAnotherDaemon(attempt);
  return overtakes ? "given while its predecessor is on its way back" : nullptr;
}

// Given again after a NAK of its app. Mutation: a lane that does not look at not_before.
const char* Ledger::BlameForRetry(const Attempt& attempt, const Fate& fate) const {
  const DaemonRecord& daemon = daemons_.at(attempt.owner);
  if (!daemon.ordered() || fate.said != Verdict::kNak) return "given again after its verdict";
  const absl::Time due = std::min(fate.retry_due, fate.said_at + core::Redelivery::kShortDelay);
  return now() >= due || daemon.draining ? nullptr : "tried again too soon";
}

// NAKed after a NAK of its app.
const char* Ledger::BlameForNoRetry(const Attempt& attempt, const Fate& fate) const {
  const int owner = OwnerOf(attempt);
  const DaemonRecord& daemon = daemons_.at(owner);
  if (!daemon.ordered() || daemon.draining || fate.foreign || Exhausted(attempt, fate)) return nullptr;
  if (StandsBy(owner) || NobodyWants(owner) || GathersAnew(owner)) return nullptr;
  // A durable made anew counts its deliveries from 1 again, while what failed here before is kept.
  if (attempt.incarnation > 1) return nullptr;
  // A Fetch may have had it without our knowing, and went away.
  if (daemon.departed || daemon.caller_gone >= fate.said_at) return nullptr;
  // It was due, and found no app; or one before it did.
  if (now() >= fate.said_at + daemon.options.resume_window || FollowsItsPredecessor(attempt)) return nullptr;
  return "NAKed instead of tried again from here";
}

// One of its key goes back before it, just now.
bool Ledger::FollowsItsPredecessor(const Attempt& attempt) const {
  const auto& numbers = daemons_.at(OwnerOf(attempt)).received_by_key.at(KeyOf(attempt));
  return std::any_of(numbers.begin(), numbers.end(), [&](uint64_t number) {
    const Fate& fate = fates_[number];
    const bool goes_now = fate.sent == Verdict::kNak && fate.sent_at == now();
    return goes_now && attempts_[number]->stream_sequence < attempt.stream_sequence;
  });
}

// Unseen, and NAKed while serving: as the latest of a hot key.
bool Ledger::IsBeyondTheShare(const Attempt& attempt) const {
  const DaemonRecord& daemon = daemons_.at(attempt.owner);
  uint64_t messages = 0;
  uint64_t bytes = 0;
  for (const auto& [key, numbers] : daemon.received_by_key) {
    for (uint64_t number : numbers) {
      const Fate& fate = fates_[number];
      const bool goes_now = fate.sent == Verdict::kNak && fate.sent_at == now();
      // A daemon that has heard of the new durable keeps what that has delivered.
      const bool may_be_here = fate.acked_by_namesake && !fate.sent && !Expired(*attempts_[number], fate);
      if (Finished(*attempts_[number], fate) && !goes_now && !may_be_here) continue;
      const StoredMessage& message = server_->message(attempts_[number]->stream_sequence);
      ++messages;
      bytes += message.subject.size() + message.data.size();
    }
  }
  const core::Credit share = WaitingShare(attempt.owner);
  return daemon.turbulent || messages > share.messages || bytes > share.bytes;
}

// What may wait for its key.
core::Credit Ledger::WaitingShare(int daemon) const {
  const uint32_t percent = daemons_.at(daemon).options.waiting_share;
  core::Credit share = {std::max(static_cast<uint32_t>(server_->info().max_ack_pending) * percent / 100, 1u), 0};
  for (const auto& [number, stream] : streams_) {
    if (stream.daemon != daemon || !stream.open || stream.app_drains || stream.answered) continue;
    share.bytes += (stream.unary ? core::FetchRequest::kMostBytes : stream.credit.bytes) * percent / 100;
  }
  return share;
}

}  // namespace sluice::test
