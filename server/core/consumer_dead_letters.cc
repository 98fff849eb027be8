// Which messages become dead letters, and what becomes of them then; see dead_letters.h for their way.
//
// Four things make a dead letter, and num_delivered alone is none of them, as each release by a drain or a takeover
// counts for it:
//   - an app's NAK at or past redelivery.max_attempts;
//   - an app's TERM, with on_term;
//   - an arrival past max_deliveries, for what kills its apps before they say a word;
//   - the last delivery: failed, or left over by a drain. JetStream would give it up.
// An app that is being drained, with its daemon or alone, NAKs what it has no time for: such a NAK makes none.

#include <utility>

#include "base/log.h"
#include "core/consumer.h"

namespace sluice::core {
namespace {

// Claims the answer to a TERM that no app waits for, so that it is asked for, and asked for again.
constexpr uint64_t kOwnClaim = UINT64_MAX;

}  // namespace

bool Consumer::MayBury(const Delivery& delivery) const {
  // What comes back from where dead letters go would go round for ever.
  const absl::string_view subject = delivery.message.subject;
  return dead_letters_.enabled() && !subject.empty() && subject != options_.dead_letter.subject;
}

// Of what an app has brought back by token there is no content here: JetStream delivers it again, and the app says so
// again.
bool Consumer::LacksItsLetter(const Delivery& delivery, Verdict verdict) const {
  const bool wanted = dead_letters_.enabled() && options_.dead_letter.on_term && verdict == Verdict::kTerm;
  return wanted && delivery.foreign && delivery.message.subject.empty();
}

std::optional<DeadLetterReason> Consumer::ReasonAfter(const Delivery& delivery, Verdict verdict) const {
  if (!MayBury(delivery)) return std::nullopt;
  if (verdict == Verdict::kTerm && options_.dead_letter.on_term) return DeadLetterReason::kTerminated;
  if (verdict != Verdict::kNak) return std::nullopt;
  const bool drains = drain_.active() || delivery.session->draining();
  const bool is_last = redelivery_.IsLast(delivery.attempt());
  if (is_last && !drains) return DeadLetterReason::kFailed;
  const bool retried_here = delivery.lane != nullptr && !drain_.active() && !is_last;
  if (IsLastAttempt(delivery) && !retried_here) return DeadLetterReason::kLastDelivery;
  return std::nullopt;
}

bool Consumer::IsPastMaxDeliveries(const Delivery& delivery) const {
  const uint64_t most = options_.dead_letter.max_deliveries;
  return most > 0 && delivery.message.num_delivered > most && !drain_.active() && MayBury(delivery);
}

void Consumer::NoteVerdict(const Delivery& delivery, Verdict verdict) {
  if (!dead_letters_.enabled()) return;
  if (verdict == Verdict::kNak) {
    dead_letters_.NoteFailure(delivery);
  } else {
    dead_letters_.NoteSettled(delivery);
  }
}

// It stays leased, and the head of its lane, so that its successors wait.
void Consumer::Bury(Delivery* delivery, DeadLetterReason reason, absl::string_view detail) {
  Unlink(delivery);
  leases_.Hold(delivery);
  if (drain_.active()) Await(delivery);
  dead_letters_.Add(delivery, reason, std::string(detail));
}

void Consumer::OnDeadLetterStored(Delivery* delivery) {
  ++counters_.dead_lettered;
  if (timers_->now() >= delivery->ack_deadline) {
    leases_.Remove(delivery);
    return OnLeasesEnded({&delivery, 1});
  }
  Tally(nullptr, &DrainReport::dead_lettered);
  // With ack_policy: all it stays, and its claim is the floor's from now on.
  const uint64_t claimant = std::exchange(delivery->claimant, 0);
  Finish(delivery, {Verdict::kTerm, absl::ZeroDuration(), "dead-lettered"},
         {claimant != 0 ? claimant : kOwnClaim, delivery->id});
  Pump();
}

// It goes back to JetStream, to be tried again with its next delivery; unless that would lose it, or its place before
// its successors, or hand to an app what an app has terminated.
bool Consumer::OnDeadLetterFailed(Delivery* delivery, DeadLetterReason reason, absl::Duration retry) {
  ++counters_.dead_letter_failures;
  if (!outbox_.connected()) return true;
  const bool gives_back = drain_.active() || GivesBack();  // the next pod waits for it
  const bool ordered = delivery->lane != nullptr && !gives_back;
  if (IsLastAttempt(*delivery) || reason == DeadLetterReason::kTerminated || ordered) {
    outbox_.Confirm({std::exchange(delivery->claimant, 0), delivery->id});
    return true;
  }
  if (gives_back) {
    GiveBack({&delivery, 1});
  } else {
    SendNak(delivery, redelivery_.DelayAfter(delivery->attempt(), retry, intake_.info().max_ack_pending));
  }
  Pump();
  return false;
}

void Consumer::OnGivenUpDone(bool stored) {
  if (stored) {
    ++counters_.dead_lettered;
  } else {
    ++counters_.dead_letter_failures;
  }
  Pump();
}

void Consumer::OnTrouble() { TellState(); }

void Consumer::FailDeadLetterClaims(uint64_t session, const std::string& detail) {
  for (Delivery* delivery : dead_letters_.deliveries()) {
    if (delivery->claimant == 0 || delivery->claimant != session) continue;
    OnResults(std::exchange(delivery->claimant, 0), SettleOutcome::kFailed, {delivery->id}, detail);
  }
}

// The drain has waited for them long enough.
void Consumer::EndDeadLetters() {
  NameGivenUp();
  for (Delivery* delivery : dead_letters_.deliveries()) {
    FailDeadLetterClaims(delivery->claimant, kNotConfirmedInDrain);
    NameUnsettled(*delivery);
    Remove(delivery);
  }
  if (lanes_ != nullptr) StartLanes();
  CheckSettled();
}

// No further attempt, and no further dead letter.
void Consumer::NameGivenUp() {
  for (const uint64_t stream_sequence : dead_letters_.Close()) {
    ++drain_.report().unsettled;
    base::LogError("unsettled: JetStream has given it up, and its dead letter could not be stored",
                   {{"stream", options_.stream}, {"consumer", options_.durable}, {"stream_seq", stream_sequence}});
  }
}

}  // namespace sluice::core
