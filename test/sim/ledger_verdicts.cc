// The ledger: what apps do with their messages, and say of them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

namespace {

// What a verdict takes to the server, with a repetition after a reconnect.
constexpr absl::Duration kRecovery = absl::Milliseconds(500);

}  // namespace

void Ledger::BeforeSettle(int stream, absl::Span<const core::SettleRun> runs) {
  StreamRecord& record = streams_.at(stream);
  record.expect_not_held.clear();
  record.told_not_held.clear();
  for (const core::SettleRun& run : runs) {
    const Verdict verdict = run.settlement.verdict;
    for (uint64_t id : run.ids) {
      auto held = record.held.find(id);
      if (held == record.held.end()) {
        record.expect_not_held.push_back(id);
        continue;
      }
      Fate& fate = fates_[held->second];
      const bool doubtful = fate.in_doubt && (verdict == Verdict::kNak || verdict == Verdict::kTerm);
      fate.let_go |= doubtful;
      const bool late = doubtful || Expired(*attempts_[held->second], fate) || LeaseIsOver(record, fate);
      trace_->Add("says: attempt, verdict, stream", held->second, static_cast<int>(verdict), stream);
      if (verdict == Verdict::kInProgress) {
        if (!late) fate.lease_from = now();
        continue;
      }
      if (!late) fate.said = verdict;
      if (verdict == Verdict::kAck) ReplaceTwins(*attempts_[held->second], record.daemon);
      if (!late) OnAppHealth(daemons_.at(record.daemon), verdict);
      if (!late && verdict == Verdict::kNak) {
        ++fate.failures;
        fate.retry_due = now() + run.settlement.nak_delay;
      }
      fate.said_at = now();
      fate.said_in_drain = daemons_.at(record.daemon).draining || record.app_drains;
      fate.acked_late |= late && verdict == Verdict::kAck;
      if (!late && record.request.confirm_settlements) {
        const Attempt& attempt = *attempts_[held->second];
        const bool retried = verdict == Verdict::kNak && daemons_.at(record.daemon).ordered() && !fate.foreign;
        record.claims[id] = {attempt.number, retried && !Exhausted(attempt, fate)};
      }
      LetGo(record, id);
    }
  }
}

void Ledger::AfterSettle(int stream) {
  StreamRecord& record = streams_.at(stream);
  const DaemonRecord& daemon = daemons_.at(record.daemon);
  std::multiset<uint64_t> unexplained(record.told_not_held.begin(), record.told_not_held.end());
  for (uint64_t id : record.expect_not_held) {
    auto told = unexplained.find(id);
    if (told == unexplained.end()) return Fail(absl::StrCat("not told that it does not hold delivery ", id));
    unexplained.erase(told);
  }
  for (uint64_t id : unexplained) {
    auto given_back = daemon.attempt_of.find(id);
    if (given_back == daemon.attempt_of.end()) return Fail(absl::StrCat("told twice of delivery ", id));
    record.claims.erase(id);
    // Given back by the daemon, maybe just now; this is judged as the NAK is, or was when another stream got it.
    Fate& fate = fates_[given_back->second];
    if (fate.stream != stream) continue;
    // With an ordering it is kept for another app once its lease is over: it is no more its caller's, whose ACK does
    // not count (docs/guarantees.md). In a drain nothing is kept, but for the NAK to go out.
    const bool was_draining = daemon.draining && daemon.drain_began <= fate.lease_from + record.lease;
    if (record.unary && daemon.ordered() && !was_draining) fate.acked_late = false;
    fate.said.reset();
    if (const char* blame = BlameForRelease(*attempts_[given_back->second], fate)) {
      return Fail(absl::StrCat("told that it does not hold delivery ", id, ", which was ", blame));
    }
  }
}

void Ledger::LetGoOf(StreamRecord& stream, uint64_t attempt) {
  const auto held = std::find_if(stream.held.begin(), stream.held.end(),
                                 [attempt](const auto& entry) { return entry.second == attempt; });
  if (held != stream.held.end()) LetGo(stream, held->first);
}

bool Ledger::IsHeld(const Attempt& attempt, const Fate& fate) const {
  if (fate.stream == 0) return false;
  const auto& held = streams_.at(fate.stream).held;
  return std::any_of(held.begin(), held.end(), [&](const auto& entry) { return entry.second == attempt.number; });
}

void Ledger::LetGo(StreamRecord& stream, uint64_t id) {
  auto held = stream.held.find(id);
  stream.held_bytes -= fates_[held->second].bytes;
  stream.held.erase(held);
}

// Twice only if the first attempt's verdict did not reach its daemon, or its daemon could not get it to the server.
// (Whether the second attempt had a reason to be is judged when the first is NAKed, or its ack wait runs out.)
void Ledger::OnHandled(uint64_t attempt) {
  const uint64_t sequence = attempts_[attempt]->stream_sequence;
  trace_->Add("handled: attempt, sequence", attempt, sequence);
  std::vector<uint64_t>& earlier = handled_[sequence];
  handled_twice_ += !earlier.empty();
  for (uint64_t first : earlier) {
    const Fate& fate = fates_[first];
    const Attempt& by = *attempts_[first];
    const bool settled = fate.said == Verdict::kAck || fate.said == Verdict::kTerm;
    if (first >= attempt || !settled) continue;
    // Mutation: an adoption that does not extend the lease. In doubt, it may have been with another daemon already.
    const bool was_out = fate.in_doubt && attempts_[attempt]->sent <= fate.settled_at;
    const bool lacked_its_letter = LacksItsLetter(by, fate) && fate.sent == Verdict::kNak;
    // NAKed by a daemon that was killed then: nobody knows of that any more when its token comes.
    const bool naked_before = fate.adopter != 0 && fate.naked && daemons_.at(by.owner).killed;
    const bool letter = fate.letter_failed || (fate.buried && fate.naked) || lacked_its_letter;
    const DaemonRecord& daemon = daemons_.at(OwnerOf(by));
    // Before its verdict was with the server; with ack_policy: all it waits for those before it, and for a dead letter
    // it waits for that.
    const bool waits = daemon.options.ack_all || fate.buried;
    const bool killed = daemon.killed && (waits || daemon.killed_at < fate.said_at + kRecovery ||
                                          !daemon.linked_at(fate.said_at + kRecovery));
    // An ACK is repeated when the connection is back.
    const absl::Time healthy = HealthySince(OwnerOf(by));
    const bool cut_off = healthy >= fate.said_at &&
                         (fate.said == Verdict::kTerm || waits || attempts_[attempt]->sent <= healthy + kRecovery);
    const bool explained = killed || fate.lost || deleted_at_ >= by.sent || fate.taken || cut_off || letter ||
                           was_out || naked_before || GoesBackFinished(fate);
    if (!explained) Fail(absl::StrCat("message ", sequence, " was handled twice"));
  }
  earlier.push_back(attempt);
}

void Ledger::CheckAllSettled() {
  for (uint64_t sequence = 1; sequence <= server_->published(); ++sequence) {
    if (server_->settled(sequence) || server_->exhausted(sequence)) continue;
    return Fail(absl::StrCat("lost: message ", sequence, " was never settled"));
  }
}

}  // namespace sluice::test
