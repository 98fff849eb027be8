// The order within a key in a whole fleet, as daemons with ordering: exclusive have to keep it. The server knows best
// what is outstanding, and who had it last.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

void Ledger::OnStall(int daemon, bool stalled) {
  trace_->Add(stalled ? "stalled: daemon" : "goes on: daemon", daemon);
  // What that does to its messages is what a broken link does.
  DaemonRecord& record = daemons_.at(daemon);
  record.link_up_since = stalled || !record.linked ? absl::InfiniteFuture() : now();
  if (!stalled) record.went_on_at = now();
}

// Another one is the active one, or nobody is; or it does not know yet that it is again, as it learns of a new pin by a
// message that bears it.
bool Ledger::StandsBy(int daemon) const {
  const DaemonRecord& record = daemons_.at(daemon);
  return record.exclusive() && (!server_->IsPinned(daemon) || record.pin_id != server_->pin_id());
}

// What a daemon knows of when something that comes now was sent: after its last pull, as long as it has been stopped
// since then and its own timer has not run on time twice (Pin::SentAfter()).
absl::Time Ledger::SentAfter(const DaemonRecord& daemon) const {
  const absl::Duration tick = std::min(server_->info().priority_timeout, server_->info().ack_wait / 2) / 4;
  const bool distrusts = now() <= daemon.went_on_at + 3 * tick;
  return distrusts && daemon.pulled_at < daemon.went_on_at ? daemon.pulled_at : now();
}

void Ledger::OnPullStatus(int owner, core::PullStatus::Kind kind) {
  if (kind == core::PullStatus::Kind::kLeadershipChange) daemons_.at(owner).told_of_leader_at = now();
}

// How long an answer to a renewal counts (pin.h).
absl::Duration Ledger::Fence() const {
  const core::ConsumerInfo info = server_->info();
  absl::Duration ack_wait = info.ack_wait;
  for (const absl::Duration step : info.backoff) ack_wait = std::min(ack_wait, step);
  return std::min(info.priority_timeout, ack_wait / 2) * 0.9;
}

// It may give up the pin, and what it has.
bool Ledger::NobodyWants(int daemon) const {
  if (!daemons_.at(daemon).exclusive()) return false;
  return std::none_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const StreamRecord& stream = entry.second;
    if (stream.answered) return false;
    const bool has_room = stream.held.size() < stream.credit.messages && stream.held_bytes < stream.credit.bytes;
    return stream.daemon == daemon && stream.open && !stream.app_drains && has_room;
  });
}

// Its former holder has settled something that it has, and it has just found out that there is such a message.
bool Ledger::GathersAnew(int daemon) const {
  if (!daemons_.at(daemon).exclusive()) return false;
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt* attempt) {
    const Fate& fate = fates_[attempt->number];
    const bool is_here = !Finished(*attempt, fate) || fate.sent_at == now();
    const bool has_it = OwnerOf(*attempt) == daemon && fate.received && is_here;
    return has_it && server_->settled(attempt->stream_sequence);
  });
}

// A late ACK settled a message of which the daemon had another attempt, while `missing` was not there: its takeover may
// have taken the one for the other (docs/guarantees.md).
bool Ledger::MayHaveMiscounted(int daemon, const Attempt& missing) const {
  if (!daemons_.at(daemon).exclusive()) return false;
  const absl::Time since = std::max(missing.sent, fates_[missing.number].adopted_at);
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt* attempt) {
    const Fate& fate = fates_[attempt->number];
    const absl::Time until = fate.sent ? fate.sent_at : now();
    if (OwnerOf(*attempt) != daemon || !fate.received || until < since) return false;
    return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt* by) {
      const absl::Time settled_at = fates_[by->number].settled_at;
      const bool another = by != attempt && by->stream_sequence == attempt->stream_sequence;
      return another && settled_at > attempt->sent && settled_at < until;
    });
  });
}

// Mutations that this has caught: no barrier; one that is over with one message missing ("given while an earlier one of
// its key is elsewhere"); a MayHandOut() that does not look at the time ("given although it was sent to another daemon
// meanwhile"). A takeover without OnExcess() loses messages: it never ends.
void Ledger::CheckFleetOrder(const Attempt& attempt) {
  const std::string key = KeyOf(attempt);
  for (const Attempt* other : server_->outstanding()) {
    if (OwnerOf(*other) == OwnerOf(attempt) || other->owner == 0 || KeyOf(*other) != key) continue;
    if (const char* blame = BlameForFleetOrder(attempt, *other)) {
      return Fail(absl::StrCat(blame, ": attempt ", attempt.number, ", with attempt ", other->number));
    }
  }
}

// `attempt` is given to an app; `other` is outstanding, of the same key, and was sent to another daemon.
const char* Ledger::BlameForFleetOrder(const Attempt& attempt, const Attempt& other) const {
  const Fate& fate = fates_[other.number];
  if (other.stream_sequence == attempt.stream_sequence) return "given although it was sent to another daemon meanwhile";
  const bool killed = daemons_.at(OwnerOf(other)).killed;
  const bool miscounted = MayHaveMiscounted(OwnerOf(attempt), other);  // so that it is over although the other is out
  // On its last delivery it cannot go back, so it is given to an app by a daemon that drains or has lost its pin, which
  // does not know what the others have (docs/guarantees.md).
  const int owner = OwnerOf(attempt);
  const bool cannot_go_back = LastAttempt(attempt) && (daemons_.at(owner).draining || StandsBy(owner));
  if (!killed && !miscounted && !cannot_go_back && WithAnApp(other, fate)) {
    return "two of one key are with apps of the fleet";
  }
  // Who cannot be given back may be given out of its turn, and for what failed for good nobody waits.
  const bool in_turn = other.stream_sequence > attempt.stream_sequence || LastAttempt(attempt);
  if (in_turn || Exhausted(other, fate) || miscounted) return nullptr;
  // A new leader knows nothing of our pin, and has pinned another while our last answer still counts; nor has it told
  // us that it is new (docs/guarantees.md).
  const bool told = daemons_.at(owner).told_of_leader_at >= leaderless_at_;
  if (!told && StandsBy(owner) && now() < leading_since_ + Fence()) return nullptr;
  return "given while an earlier one of its key is elsewhere";
}

// The last word of a drain: its successor must find nothing that it would still give back. Mutation: UnpinLast() before
// the releases.
void Ledger::OnUnpin(int owner) {
  trace_->Add("unpins: daemon", owner);
  if (!daemons_.at(owner).draining) return;
  for (const Attempt* attempt : server_->outstanding()) {
    if (OwnerOf(*attempt) != owner) continue;
    const Fate& fate = FateOf(*attempt);
    const bool done =
        // Or by a NAK on an earlier attempt at it, which the daemon kept, finished (ack_policy: all).
        IsForsaken(fate) || !fate.received || fate.sent || fate.taken || Expired(*attempt, fate) ||
        LastAttempt(*attempt);
    if (!done) return Fail(absl::StrCat("unpinned before attempt ", attempt->number, " was given back"));
  }
}

}  // namespace sluice::test
