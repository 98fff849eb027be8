// The server's side of the ledger: deliveries, verdicts, ack waits. ledger_streams.cc and ledger_verdicts.cc have the
// apps' side.
#include "test/sim/ledger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::test {

using core::Verdict;

namespace {

// After a mishap is over, core has this long to make up for it before the exception ends.
constexpr absl::Duration kRecovery = absl::Milliseconds(500);

}  // namespace

void Ledger::Fail(std::string what) {
  if (failed()) return;
  failure_ = std::move(what);
  trace_->Add("FAILED");
}

// --------------------------------------------------------------------------------------------------------------
// mishaps

void Ledger::OnLink(int owner, bool up) {
  trace_->Add(up ? "link up: daemon" : "link down: daemon", owner);
  daemons_.at(owner).linked = up;
  daemons_.at(owner).link_up_since = up ? now() : absl::InfiniteFuture();
}

void Ledger::OnLeaderless(absl::Time until) {
  trace_->Add("leaderless");
  leaderless_at_ = now();
  leading_since_ = std::max(leading_since_, until);
}

void Ledger::OnConsumerDeleted() {
  trace_->Add("consumer deleted");
  deleted_at_ = now();
}

absl::Time Ledger::HealthySince(int daemon) const {
  const absl::Time since = std::max(daemons_.at(daemon).link_up_since, leading_since_);
  return since > now() ? absl::InfiniteFuture() : since;
}

// -----------------------------------------------------------------------------------------------------------
// deliveries

bool Ledger::LastAttempt(const Attempt& attempt) const {
  const int64_t most = server_->info().max_deliver;
  return most > 0 && attempt.num_delivered >= static_cast<uint64_t>(most);
}

absl::Duration Ledger::AckWait(const Attempt& attempt) const { return server_->info().AckWait(attempt.num_delivered); }

bool Ledger::Expired(const Attempt& attempt, const Fate& fate) const {
  const absl::Duration margin = std::min(absl::Milliseconds(100), AckWait(attempt) / 10);  // core's own
  return fate.expired || now() >= std::min(fate.own_deadline, fate.ends_first) - margin;
}

void Ledger::OnSent(const Attempt& attempt) {
  trace_->Add("sent: attempt, sequence, daemon", attempt.number, attempt.stream_sequence, attempt.owner);
  attempts_.push_back(&attempt);
  fates_.emplace_back();
}

void Ledger::OnReceived(const Attempt& attempt) {
  trace_->Add("received: attempt, sequence, daemon", attempt.number, attempt.stream_sequence, attempt.owner);
  Fate& fate = FateOf(attempt);
  fate.received = true;
  fate.received_event = ++events_;
  fate.lease_from = now();
  DaemonRecord& daemon = daemons_.at(attempt.owner);
  // What has lain in the socket of a stopped process counts from when it was sent. Mutation: it does not ("a late NAK
  // took it from its holder", "in progress, after the ack deadline").
  fate.own_deadline = (daemon.went_on_at == now() ? attempt.sent : now()) + AckWait(attempt);
  if (daemon.exclusive()) fate.ends_first = SentAfter(daemon) + AckWait(attempt);
  daemon.pin_id = attempt.pin_id;
  MergeIntoAdopted(attempt);
  if (daemon.ordered()) OnReceivedInOrder(attempt);
}

void Ledger::OnPull(int owner, const core::PullRequest& request) {
  trace_->Add("pull: daemon, batch, bytes", owner, request.batch, request.max_bytes);
  DaemonRecord& daemon = daemons_.at(owner);
  daemon.pulled_at = now();
  if (daemon.draining) return Fail("a pull while draining");
  if (daemon.exclusive()) return;  // a takeover gathers what is outstanding, whatever the credit
  uint64_t free = 0;
  for (const auto& [number, stream] : streams_) {
    if (stream.daemon != owner || !stream.open || stream.app_drains || stream.answered) continue;
    free += stream.credit.messages - std::min<uint64_t>(stream.credit.messages, stream.held.size());
  }
  uint64_t buffered = 0;
  for (size_t number = fates_.size(); number > 0 && !daemon.turbulent; --number) {
    const Fate& fate = fates_[number - 1];
    const Attempt& attempt = *attempts_[number - 1];
    const bool waits = attempt.owner == owner && fate.received && !fate.seen && !fate.sent && !fate.replaced &&
                       !fate.buried && !(daemon.ordered() && LastAttempt(attempt));  // which has to stay
    buffered += waits && now() < fate.own_deadline;
  }
  if (daemon.ordered()) free += WaitingShare(owner).messages;
  const bool trickle = daemon.ordered() && request.batch == 1;  // for what the lanes wait for
  if (request.batch + buffered > free && !trickle) {
    Fail(absl::StrCat("a pull of ", request.batch, " with ", buffered, " buffered and a free credit of ", free));
  }
}

void Ledger::OnIntakeClosed(int owner) {
  trace_->Add("intake closed: daemon", owner);
  DaemonRecord& daemon = daemons_.at(owner);
  daemon.intake_closed = true;
  daemon.intake_closed_at = now();
}

void Ledger::OnInfoRequested(int owner) {
  DaemonRecord& daemon = daemons_.at(owner);
  daemon.info_requested = daemon.intake_closed;
}

void Ledger::OnMisuse(int owner, absl::string_view what) {
  Fail(absl::StrCat("daemon ", owner, " breaks the contract of MessageSource: ", what));
}

// -------------------------------------------------------------------------------------------------------------
// verdicts

void Ledger::OnVerdictSent(const Attempt& attempt, const core::Settlement& settlement,
                           ModelJetStream::Sending sending) {
  Fate& fate = FateOf(attempt);
  trace_->Add(sending.confirm ? "confirm: attempt, sequence, verdict" : "settle: attempt, sequence, verdict",
              attempt.number, attempt.stream_sequence, static_cast<int>(settlement.verdict));
  if (!awaiting_adoption_.empty() && awaiting_since_ < now()) return Fail("extended, and nobody brought it back");
  if (!sending.confirm && MayBeAdopting(attempt, settlement.verdict, sending.owner)) {
    fate.extended_at = fate.in_progress_at = awaiting_since_ = now();
    awaiting_adoption_.insert(attempt.number);
    return;
  }
  const bool finishes = settlement.verdict == Verdict::kAck || settlement.verdict == Verdict::kTerm;
  if (finishes && daemons_.at(sending.owner).options.ack_all) return OnRunSent(attempt, sending.owner);
  if (sending.owner != OwnerOf(attempt)) {
    return Fail(absl::StrCat("a verdict on what another daemon has: attempt ", attempt.number));
  }
  // Asks for an answer on what was sent before, or came too late to be sent.
  if (sending.confirm && fate.sent) return;
  const char* blame = nullptr;
  // Then it may have got lost, and is said again as far as that is safe.
  const bool link_renewed = std::max(daemons_.at(OwnerOf(attempt)).link_up_since, leading_since_) >= fate.sent_at ||
                            deleted_at_ >= attempt.sent;
  switch (settlement.verdict) {
    case Verdict::kAck:
      blame = BlameForAck(fate, link_renewed);
      break;
    case Verdict::kTerm:
      blame = BlameForTerm(attempt, fate);
      if (fate.in_doubt) blame = "a TERM in doubt";
      if (fate.sent && !link_renewed) blame = "terminated twice";
      if (now() > fate.own_deadline || fate.expired) blame = "a TERM after the ack deadline";
      break;
    case Verdict::kNak:
      if (settlement.nak_delay > absl::ZeroDuration()) fate.nak_due = now() + settlement.nak_delay;
      blame = BlameForNak(attempt, fate, sending.pull_open && settlement.nak_delay == absl::ZeroDuration());
      if (!fate.said && !IsReleasedLast(attempt, fate) && !fate.buried &&
          settlement.nak_delay == absl::ZeroDuration()) {
        CheckReleaseOrder(attempt, fate);
      }
      break;
    case Verdict::kInProgress:
      if (fate.sent) blame = "in progress, after a verdict";
      if (IsBeyondItsLease(attempt, fate)) blame = "extended beyond lease.max";
      if (now() > fate.own_deadline || fate.expired) blame = "in progress, after the ack deadline";
      fate.in_progress_at = now();
      fate.own_deadline = now() + AckWait(attempt);
      fate.ends_first = absl::InfiniteFuture();
      break;
  }
  if (blame != nullptr) Fail(absl::StrCat(blame, ": attempt ", attempt.number));
  if (settlement.verdict == Verdict::kInProgress) return;
  // The ACK that it said before it brought its token again, as nobody has vouched for that: it goes on all the same.
  const bool repeats = settlement.verdict == Verdict::kAck && fate.acked_before && !fate.said && IsHeld(attempt, fate);
  if (repeats) return;
  fate.sent = settlement.verdict;
  fate.sent_at = now();
}

const char* Ledger::BlameForAck(const Fate& fate, bool link_renewed) const {
  if (fate.said != Verdict::kAck && !fate.acked_late) return "acked what no app acked";
  const bool after_its_lease = fate.sent == Verdict::kNak && fate.acked_late && streams_.at(fate.stream).unary;
  // An app that brings its token again says it again, and each word of it is kept until the server has vouched for it.
  if (fate.sent && !link_renewed && !after_its_lease && !fate.acked_before) return "acked twice";
  return nullptr;
}

const char* Ledger::BlameForNak(const Attempt& attempt, const Fate& fate, bool would_bounce) const {
  const DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  if (fate.sent) return "NAKed twice";
  // Unless the NAK was kept for the reconnect, when the ACK came.
  const bool connected_since = daemon.linked_at(fate.said_at);
  if (fate.acked_late && !fate.foreign && !daemon.options.ack_all && connected_since) {
    return "NAKed although its app has acked it, late";
  }
  if (fate.in_doubt) return "a NAK in doubt";  // mutation: it goes out
  if (now() > fate.own_deadline || fate.expired) return "a NAK after the ack deadline";
  if (daemon.draining && would_bounce) return "a NAK while draining, into a pull of one's own";
  if (daemon.options.ack_all && DoneByAnApp(attempt, fate)) return BlameForNakOfFinished(attempt, fate);
  // By another attempt, of which this daemon may know, or not.
  const bool done = daemon.options.ack_all && !fate.seen && DoneByAnApp(attempt.stream_sequence);
  if (done && BlameForNakOfFinished(attempt, fate) == nullptr) return nullptr;
  if (!fate.foreign && (fate.buried || HasFailedForGood(attempt, fate))) return BlameForNakOfLetter(attempt, fate);
  if (fate.said == Verdict::kNak) return BlameForNoRetry(attempt, fate);
  if (LacksItsLetter(attempt, fate)) return nullptr;
  if (fate.said) return "NAKed what its app has settled otherwise";
  return BlameForRelease(attempt, fate);
}

// An app that hangs would have it for ever. Mutation: a StartLanes() that does not start its lease.
bool Ledger::IsBeyondItsLease(const Attempt& attempt, const Fate& fate) const {
  if (!IsHeld(attempt, fate) || fate.said) return false;
  const DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  const StreamRecord& stream = streams_.at(fate.stream);
  // A call's own lease ends before (CheckReturned()).
  if (!stream.open || stream.unary || stream.app_drains || daemon.draining) return false;
  return now() > std::max(fate.lease_from, fate.given_at) + daemon.options.lease_max;
}

// A NAK that no app asked for.
const char* Ledger::BlameForRelease(const Attempt& attempt, const Fate& fate) const {
  const DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  if (!fate.seen) {
    if (LastAttempt(attempt)) return "NAKed on its last delivery, unseen: that is the end of it";
    if (daemon.draining && !daemon.intake_closed) return "released before the fence";
    const bool could_ask = daemon.link_up_since <= daemon.intake_closed_at;
    if (daemon.draining && could_ask && !daemon.info_requested) return "released without CONSUMER.INFO after the UNSUB";
    if (daemon.draining) return nullptr;
    if (daemon.ordered() && (FollowsItsPredecessor(attempt) || IsBeyondTheShare(attempt))) return nullptr;
    const int owner = OwnerOf(attempt);
    if (StandsBy(owner) || NobodyWants(owner) || GathersAnew(owner)) return nullptr;
    if (daemon.departed || daemon.caller_gone >= fate.lease_from) return nullptr;
    return now() >= fate.lease_from + daemon.options.resume_window ? nullptr : "unseen, and NAKed while serving";
  }
  const StreamRecord& stream = streams_.at(fate.stream);
  if (daemon.draining && now() >= daemon.drain_deadline) return nullptr;
  if (stream.app_drains && now() >= stream.app_deadline) return nullptr;
  if (LeaseIsOver(stream, fate)) return nullptr;
  if (fate.foreign && IsComingBack(stream)) return nullptr;
  if (stream.open) return "NAKed behind the back of its app";
  const bool may_resume = stream.broken && !stream.replaced && !stream.request.client_id.empty();
  if (may_resume && !daemon.draining && now() < stream.broken_at + daemon.options.resume_window) {
    return "NAKed within the resume window";
  }
  return nullptr;
}

void Ledger::CheckReleaseOrder(const Attempt& attempt, const Fate& fate) {
  if (fate.foreign) return;  // it was in its key's way, whatever its place
  DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  if (daemon.release_time != now()) {
    daemon.last_released.clear();
    daemon.last_released_by_key.clear();
  }
  daemon.release_time = now();
  DaemonRecord::Released& last = daemon.ordered() ? daemon.last_released_by_key[KeyOf(attempt)]
                                                  : daemon.last_released[fate.seen ? fate.stream : 0];
  // What comes when the NAKs have gone follows them.
  const bool was_here = fate.received_event < last.event;
  if (attempt.stream_sequence < last.sequence && was_here) {
    Fail(absl::StrCat("released out of order: attempt ", attempt.number));
  }
  last = {attempt.stream_sequence, ++events_};
}

void Ledger::OnSentToTheDead(const Attempt& attempt) { FateOf(attempt).lost = true; }

void Ledger::OnVerdictLost(const Attempt& attempt) {
  FateOf(attempt).lost = true;
  if (!daemons_.at(OwnerOf(attempt)).options.ack_all) return;
  for (const Attempt* other : attempts_) {  // maybe by that verdict
    Fate& fate = FateOf(*other);
    fate.lost |= fate.sent.has_value() && other->stream_sequence <= attempt.stream_sequence;
  }
}

void Ledger::OnSettled(const Attempt& by, Verdict verdict) {
  FateOf(by).settled_at = now();
  trace_->Add("settled: attempt, sequence, verdict", by.number, by.stream_sequence, static_cast<int>(verdict));
}

void Ledger::OnNaked(const Attempt& by, const Attempt& current) {
  Fate& fate = FateOf(by);
  // It counts from here, however long the process was stopped with the NAK in its hands.
  if (fate.nak_due != absl::InfinitePast()) fate.nak_due += now() - fate.sent_at;
  fate.naked = true;
  trace_->Add("naked: attempt, sequence, due in ms", by.number, by.stream_sequence,
              fate.nak_due == absl::InfinitePast() ? 0 : absl::ToInt64Milliseconds(fate.nak_due - now()));
  if (by.number == current.number) return;
  // What the daemon sent before may have got lost, unknown to it; else it knew the deadline.
  const bool explained =
      fate.lost || fate.taken || HealthySince(OwnerOf(by)) > now() - 2 * AckWait(by) || deleted_at_ >= by.sent;
  if (!explained) Fail(absl::StrCat("a late NAK took attempt ", current.number, " from its holder"));
  FateOf(current).taken = true;
}

void Ledger::OnExhausted(const Attempt& attempt) {
  trace_->Add("exhausted: attempt, sequence", attempt.number, attempt.stream_sequence);
  given_up_[attempt.stream_sequence] = now();
}

// ------------------------------------------------------------------------------------------------------------ ack
// waits

void Ledger::OnAckWaitOver(const Attempt& attempt) {
  trace_->Add("ack wait over: attempt, sequence, daemon", attempt.number, attempt.stream_sequence, attempt.owner);
  FateOf(attempt).wait_over = true;
  if (const char* blame = BlameForWaiting(attempt, FateOf(attempt))) {
    Fail(absl::StrCat(blame, ": attempt ", attempt.number, " of message ", attempt.stream_sequence));
  }
}

// Nothing waits for the ack wait, but for the exceptions of section 1.
const char* Ledger::BlameForWaiting(const Attempt& attempt, const Fate& fate) const {
  if (attempt.owner == 0) return "delivered to nobody: a drain stranded it";
  if (IsForsaken(fate)) return nullptr;
  const bool done = daemons_.at(OwnerOf(attempt)).options.ack_all && DoneByAnApp(attempt, fate);
  if (done && (LastAttempt(attempt) || fate.in_doubt)) return nullptr;  // given back without a NAK
  // Given back by a pod that does not know how far the ACKs of another have gone: the server takes its NAK for old.
  const bool is_old = daemons_.at(OwnerOf(attempt)).options.ack_all &&
                      attempt.consumer_sequence <= server_->info().ack_floor_consumer_sequence;
  if (is_old && fate.sent == Verdict::kNak && !fate.naked) return nullptr;
  // Its app brought it back by token and has left, and a NAK on its last delivery would be the end of it.
  const bool left = fate.foreign && LastAttempt(attempt) && fate.stream != 0 && !streams_.at(fate.stream).open;
  if (left) return nullptr;
  const bool just_adopted = fate.adopter != 0 && now() < fate.adopted_at + kRecovery && fate.in_doubt;
  if (just_adopted) return nullptr;  // the extension comes too late
  const DaemonRecord& daemon = daemons_.at(OwnerOf(attempt));
  if (fate.naked && fate.nak_due != absl::InfinitePast()) {
    const absl::Duration quirk = AckWait(attempt) - server_->info().ack_wait;  // BackOff shifts delayed NAKs
    const absl::Time due = fate.nak_due + quirk + absl::Seconds(1);
    const bool mixed_up = attempt.incarnation > 1;  // verdicts on its namesake before the deletion
    return mixed_up || ExtendedInDoubt(attempt) || now() <= std::max(due, leading_since_)
               ? nullptr
               : "a delayed NAK waited longer than was asked for";
  }
  const absl::Time healthy = HealthySince(OwnerOf(attempt));
  // Lost on the way: the message; or its NAK, which is not repeated, as it might take the message from its next holder.
  const bool never_came = !fate.received && healthy > attempt.sent;
  const bool nak_lost = fate.sent == Verdict::kNak && !fate.naked && healthy > fate.sent_at;
  const bool outage_too_long = !fate.sent && healthy >= fate.own_deadline - AckWait(attempt) / 10;
  if (daemon.killed || fate.lost || fate.taken || never_came || nak_lost || outage_too_long) return nullptr;
  const bool settled_for_good = fate.sent == Verdict::kAck || fate.sent == Verdict::kTerm;
  if (now() - healthy < AckWait(attempt)) {
    const bool time_to_repeat = now() - healthy > kRecovery && fate.said_at < healthy;
    return settled_for_good && !fate.expired && time_to_repeat ? "lost with the connection and never repeated"
                                                               : nullptr;
  }
  if (!fate.received) return "sent but never received: a drain stranded it";
  if (fate.ends_first < fate.own_deadline) return nullptr;  // let go of without a word (docs/guarantees.md)
  const bool behind_its_key = (daemon.ordered() || daemon.draining) && !fate.seen;  // no app is to blame
  if (fate.expired || (now() >= fate.lease_from + daemon.options.lease_max && !behind_its_key)) return nullptr;
  if (daemon.drained) return daemon.report.unsettled > 0 ? nullptr : "left to the ack wait by a drain that was clean";
  if (daemon.draining && LastAttempt(attempt)) return nullptr;  // named in the report, which is checked then
  return "the ack wait of a healthy message ran out";
}

}  // namespace sluice::test
