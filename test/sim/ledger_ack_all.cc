// ack_policy: all, where an ACK settles its message and all before it: nothing is settled that no app has finished, and
// what is finished and not acked is bounded.
//
// Mutations that this has caught: a MayStartUpTo() without a limit ("given with 15 before it that are not acked"); ACKs
// and TERMs that bear the consumer sequence of their own message ("drained, but still pending", "the ack wait of a
// healthy message ran out"); a TakeRun() that does not stop at what is not finished (the model finds no such reply); a
// Doubt() that does nothing, so that it acks past a hole ("given with 16 before it that are not acked": seed 429 of
// AckAllNatsFaults). An Add() that does not look at the consumer sequence is for AckFloorTest alone to catch: here what
// gets lost does so with a connection or a leader.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

// An app has acked it, or terminated it for good.
bool Ledger::DoneByAnApp(const Attempt& attempt, const Fate& fate) const {
  if (fate.buried) return fate.letter_stored;
  const bool terminated = fate.said == Verdict::kTerm && !LacksItsLetter(attempt, fate);
  return fate.acked_late || fate.said == Verdict::kAck || terminated;
}

bool Ledger::DoneByAnApp(uint64_t stream_sequence) const {
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt* attempt) {
    return attempt->stream_sequence == stream_sequence && DoneByAnApp(*attempt, fates_[attempt->number]);
  });
}

// It is finished, whatever attempt at it an app has finished, and goes behind all that is not.
bool Ledger::IsReleasedLast(const Attempt& attempt, const Fate& fate) const {
  return fate.acked_late || (daemons_.at(OwnerOf(attempt)).options.ack_all && DoneByAnApp(attempt.stream_sequence));
}

// NAKed on its last delivery, without a delay: by the time that an ACK comes, the server has given it up.
bool Ledger::IsAboutToBeGivenUp(const Attempt& attempt) const {
  const Fate& fate = fates_[attempt.number];
  return LastAttempt(attempt) && fate.sent == Verdict::kNak && fate.nak_due == absl::InfinitePast();
}

// An ACK or TERM of all up to `last`.
void Ledger::OnRunSent(const Attempt& last, int daemon) {
  for (const Attempt* attempt : server_->outstanding()) {
    if (attempt->stream_sequence > last.stream_sequence || DoneByAnApp(attempt->stream_sequence)) continue;
    if (IsAboutToBeGivenUp(*attempt)) continue;
    return Fail(absl::StrCat("acked past message ", attempt->stream_sequence, ", which no app has finished: attempt ",
                             last.number));
  }
  std::set<uint64_t> done;
  for (const Attempt* attempt : attempts_) {
    if (DoneByAnApp(*attempt, FateOf(*attempt))) done.insert(attempt->stream_sequence);
  }
  for (const Attempt* attempt : attempts_) {
    Fate& fate = FateOf(*attempt);
    const bool its = OwnerOf(*attempt) == daemon && attempt->stream_sequence <= last.stream_sequence;
    const bool with_app = WithAnApp(*attempt, fate);  // another attempt at it is done
    if (!its || fate.sent || with_app || !done.contains(attempt->stream_sequence)) continue;
    fate.sent = fate.said.value_or(Verdict::kAck);
    if (fate.sent == Verdict::kNak) fate.sent = Verdict::kTerm;  // its dead letter is stored
    fate.sent_at = now();
  }
}

void Ledger::OnSettledUpTo(const Attempt& by, const Attempt& settled) {
  FateOf(settled).settled_at = now();
  trace_->Add("settled up to: attempt, sequence", by.number, settled.stream_sequence);
  if (!DoneByAnApp(settled.stream_sequence) && !IsAboutToBeGivenUp(settled)) {
    Fail(absl::StrCat("message ", settled.stream_sequence, " was settled by an ACK of a later one, and is not done"));
  }
}

// A crash repeats what is finished and not acked.
void Ledger::CheckUnacked(const Attempt& attempt) {
  const DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  const bool cut_off = HealthySince(OwnerOf(attempt)) > attempt.sent;  // acked, as far as the daemon can
  if (daemon.draining || cut_off || LastAttempt(attempt)) return;
  uint64_t before = 0;
  for (const Attempt* other : server_->outstanding()) {
    const Fate& fate = fates_[other->number];
    const bool acked = fate.sent == Verdict::kAck || fate.sent == Verdict::kTerm;
    before += other->stream_sequence < attempt.stream_sequence && !acked && !IsAboutToBeGivenUp(*other);
  }
  if (before >= daemon.options.max_unacked) {
    Fail(absl::StrCat("given with ", before, " before it that are not acked: attempt ", attempt.number));
  }
}

// It is done again.
const char* Ledger::BlameForNakOfFinished(const Attempt& attempt, const Fate& fate) const {
  const int owner = OwnerOf(attempt);
  const bool goes_away = daemons_.at(owner).draining || StandsBy(owner) || NobodyWants(owner);
  if (!goes_away) return "NAKed by the active pod, and an app has finished it";
  // What may have got lost on its way here may be before it, and so may what is still with another daemon.
  const std::vector<const Attempt*> outstanding = server_->outstanding();
  const bool gathers = std::any_of(outstanding.begin(), outstanding.end(),
                                   [&](const Attempt* other) { return OwnerOf(*other) != owner; });
  const bool knew_all = calm_nats_ && !fate.foreign && !gathers && !StandsBy(owner);
  const bool is_behind = std::any_of(outstanding.begin(), outstanding.end(), [&](const Attempt* other) {
    return other->stream_sequence < attempt.stream_sequence && !DoneByAnApp(*other, fates_[other->number]);
  });
  return knew_all && !is_behind ? "NAKed although it and all before it are finished" : nullptr;
}

}  // namespace sluice::test
