// Dead letters: nothing healthy becomes one, and nothing is lost on its way there.
//
// Mutations that this has caught: a TERM that does not wait for the PubAck ("terminated before its dead letter was
// stored"); num_delivered that counts without a verdict ("dead-lettered after its verdict"); a drain that sets aside
// what no app has seen ("it had another delivery"); a NAK in a drain that counts as a failure ("failed in a drain");
// successors that go on before it is stored ("given before its predecessor"); a failed publication that is dropped
// ("lost").
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::DeadLetterReason;
using core::Verdict;

namespace {

// When it was decided on: the same however often it is tried, and another for each attempt at its message.
std::string DecidedAt(const core::DeadLetter& letter) {
  const auto header = std::find_if(letter.headers.begin(), letter.headers.end(), [](const auto& entry) {
    return entry.first == core::dead_letter_header::kLastAttempt;
  });
  return header == letter.headers.end() ? "" : header->second;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------
// what may become one

// Its app NAKed its last attempt, and that was its own word: nobody was about to leave.
bool Ledger::HasFailedForGood(const Attempt& attempt, const Fate& fate) const {
  return Buries(attempt) && !fate.foreign && fate.said == Verdict::kNak && !fate.said_in_drain &&
         Exhausted(attempt, fate);
}

// Terminated by an app that brought it back by token: its content is not here, so it goes back, to be terminated again.
bool Ledger::LacksItsLetter(const Attempt& attempt, const Fate& fate) const {
  return fate.foreign && fate.said == Verdict::kTerm && Buries(attempt) &&
         daemons_.at(attempt.owner).options.dead_letter.on_term;
}

// Sent, and neither settled nor given up.
bool Ledger::IsBeingBuried(const Attempt& attempt, const Fate& fate) const {
  return fate.buried && !fate.letter_stored && !fate.sent && !fate.replaced && !Expired(attempt, fate);
}

const char* Ledger::BlameForLetter(const Attempt& attempt, const Fate& fate, DeadLetterReason reason) const {
  const DaemonRecord& daemon = daemons_.at(attempt.owner);
  const core::DeadLetterPolicy& policy = daemon.options.dead_letter;
  if (fate.buried) return nullptr;  // tried again; it was judged then
  if (fate.sent) return "dead-lettered after its verdict";
  switch (reason) {
    case DeadLetterReason::kFailed:
      if (fate.said != Verdict::kNak) return "dead-lettered, and no app has failed";
      if (fate.said_in_drain) return "dead-lettered, as its app failed in a drain";
      // Failures of an earlier attempt that waited in its lane count as well.
      for (uint64_t number = 0; number <= attempt.number; ++number) {
        const bool same = attempts_[number]->stream_sequence == attempt.stream_sequence &&
                          attempts_[number]->owner == attempt.owner &&
                          (number == attempt.number || fates_[number].replaced);
        if (!same) continue;
        Fate sum = fate;
        sum.failures += number == attempt.number ? 0 : fates_[number].failures;
        if (Exhausted(attempt, sum)) return nullptr;
      }
      return "dead-lettered before its last attempt";
    case DeadLetterReason::kTerminated:
      return policy.on_term && fate.said == Verdict::kTerm ? nullptr : "dead-lettered, and no app has terminated it";
    case DeadLetterReason::kMaxDeliveries:
      if (daemon.draining) return "dead-lettered by a drain";
      // Not one whose app has opened another stream and does not name it.
      if (WithAnApp(attempt, fate)) return "dead-lettered for its deliveries, and an app has it";
      return policy.max_deliveries > 0 && attempt.num_delivered > policy.max_deliveries
                 ? nullptr
                 : "dead-lettered for its deliveries, and they were not too many";
    case DeadLetterReason::kLastDelivery:
      if (!LastAttempt(attempt)) return "dead-lettered, and it had another delivery";
      if (fate.said == Verdict::kNak) return nullptr;
      if (!daemon.draining || !daemon.intake_closed) return "dead-lettered before its drain had to";
      return fate.seen ? BlameForRelease(attempt, fate) : nullptr;
    case DeadLetterReason::kGivenUp:
      return "dead-lettered as given up by the server, and it is here";
  }
  return nullptr;
}

void Ledger::OnLetterSent(int owner, const core::DeadLetter& letter) {
  trace_->Add("dead letter: daemon, sequence, reason", owner, letter.stream_sequence, static_cast<int>(letter.reason));
  if (letter.reason == DeadLetterReason::kGivenUp) {
    if (!given_up_.contains(letter.stream_sequence))
      Fail(absl::StrCat("the server has not given up message ", letter.stream_sequence));
    return;
  }
  const std::string decided = DecidedAt(letter);
  std::vector<uint64_t>& under_way = letters_under_way_[{owner, letter.stream_sequence}];
  for (uint64_t number = 0; number < fates_.size(); ++number) {
    const bool its = attempts_[number]->owner == owner && attempts_[number]->stream_sequence == letter.stream_sequence;
    // One whose last try is not answered yet is not tried again: another attempt, decided on in the same instant, is.
    const bool awaits_answer = std::find(under_way.begin(), under_way.end(), number) != under_way.end();
    const bool tried_again = its && fates_[number].buried && fates_[number].letter_decided == decided && !awaits_answer;
    if (tried_again && !fates_[number].letter_stored) return under_way.push_back(number);  // it was judged then
  }
  // Which attempt at its message it is about is not in it: the latest that may be.
  const char* blame = nullptr;
  for (uint64_t number = fates_.size(); number-- > 0;) {
    const Attempt& attempt = *attempts_[number];
    Fate& fate = fates_[number];
    if (attempt.owner != owner || attempt.stream_sequence != letter.stream_sequence || !fate.received) continue;
    if (fate.letter_stored) continue;  // of a durable that was made anew: its own letter is done
    const char* const worst = BlameForLetter(attempt, fate, letter.reason);
    if (worst == nullptr) {
      fate.letter_decided = decided;
      under_way.push_back(number);
      return OnBuried(attempt, fate);
    }
    if (blame == nullptr) blame = worst;
  }
  if (blame == nullptr) blame = "dead-lettered what it does not have";
  Fail(absl::StrCat(blame, ": message ", letter.stream_sequence, " at daemon ", owner));
}

void Ledger::OnBuried(const Attempt& attempt, Fate& fate) {
  if (std::exchange(fate.buried, true)) return;
  DaemonRecord& daemon = daemons_.at(attempt.owner);
  if (daemon.draining) daemon.awaited += !std::exchange(fate.awaited, true);
  if (fate.stream != 0) LetGoOf(streams_.at(fate.stream), attempt.number);
}

// ---------------------------------------------------------------------------------------------------------
// what becomes of it

void Ledger::OnLetterStored(uint64_t stream_sequence, const std::string& id) {
  trace_->Add("dead letter stored: sequence", stream_sequence);
  const auto [entry, is_new] = letter_ids_.try_emplace(stream_sequence, id);
  if (id.empty() || entry->second != id) {
    Fail(absl::StrCat("another id for the dead letter of message ", stream_sequence, ": ", id));
  }
}

void Ledger::OnLetterAnswered(int owner, uint64_t stream_sequence, bool stored) {
  trace_->Add("dead letter answered: daemon, sequence, stored", owner, stream_sequence, stored);
  std::vector<uint64_t>& under_way = letters_under_way_[{owner, stream_sequence}];
  if (under_way.empty()) return;  // of what the server has given up
  // Of several that are under way, the answers come in any order: any may have failed, and the latest is stored.
  const uint64_t latest = *std::max_element(under_way.begin(), under_way.end());
  for (uint64_t number : under_way) fates_[number].letter_failed |= !stored;
  fates_[latest].letter_stored |= stored;
  under_way.erase(std::find(under_way.begin(), under_way.end(), latest));
}

const char* Ledger::BlameForTerm(const Attempt& attempt, const Fate& fate) const {
  if (fate.letter_stored) return nullptr;
  if (fate.buried) return "terminated before its dead letter was stored";
  if (fate.said != Verdict::kTerm) return "terminated what no app terminated";
  const core::DeadLetterPolicy& policy = daemons_.at(attempt.owner).options.dead_letter;
  if (!policy.enabled() || !policy.on_term || letter_ids_.contains(attempt.stream_sequence)) return nullptr;
  return "terminated without a dead letter";
}

const char* Ledger::BlameForNakOfLetter(const Attempt& attempt, const Fate& fate) const {
  if (!fate.buried) return "NAKed instead of dead-lettered";
  if (LastAttempt(attempt)) return "NAKed on its last delivery instead of dead-lettered: that is the end of it";
  const DaemonRecord& daemon = daemons_.at(attempt.owner);
  const bool at_deadline = daemon.draining && now() >= daemon.drain_deadline;
  if (at_deadline) return nullptr;
  if (!fate.letter_failed) return "NAKed while its dead letter is under way";
  if (fate.said == Verdict::kTerm) return "NAKed what its app has terminated";
  if (daemon.ordered() && !daemon.draining && !StandsBy(attempt.owner) && !NobodyWants(attempt.owner))
    return "NAKed before its successors, which wait for its dead letter";
  return nullptr;
}

void Ledger::OnAdvisory(int owner, uint64_t stream_sequence) {
  trace_->Add("advisory: daemon, sequence", owner, stream_sequence);
  const DaemonRecord& daemon = daemons_.at(owner);
  // Mutation: BeginDrain() without StopListening().
  if (daemon.draining && given_up_.at(stream_sequence) > daemon.drain_began) {
    return Fail(absl::StrCat("an advisory to a daemon that drains: message ", stream_sequence));
  }
  if (daemon.drained) return;  // it was on its way when its drain ended
  advised_[stream_sequence] = owner;
}

// What the server gave up is a dead letter in the end, if a daemon heard of it and had the time.
void Ledger::CheckDeadLetters() {
  for (const auto& [sequence, owner] : advised_) {
    const DaemonRecord& daemon = daemons_.at(owner);
    if (!daemon.options.dead_letter.enabled() || letter_ids_.contains(sequence)) continue;
    const bool explained = daemon.killed || (daemon.drained && daemon.report.unsettled > 0);
    if (!explained) Fail(absl::StrCat("given up by the server, and never dead-lettered: message ", sequence));
  }
}

}  // namespace sluice::test
