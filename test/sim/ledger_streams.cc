// The ledger: app streams, credit, what each is given and told.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

void Ledger::OnStreamOpening(int stream, int daemon, const core::OpenRequest& request) {
  trace_->Add("opening: stream, daemon, named", stream, daemon, request.resume.size());
  StreamRecord& record = streams_[stream];
  record.daemon = daemon;
  record.request = request;
  record.credit = request.credit;
  daemons_.at(daemon).departed = false;
}

// Its app has ended it; there may be others, or some that may come back.
void Ledger::NoteDeparture(int stream) {
  const int daemon = streams_.at(stream).daemon;
  DaemonRecord& record = daemons_.at(daemon);
  record.departed = std::none_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const auto& [number, other] = entry;
    if (number == stream || other.daemon != daemon || other.replaced) return false;
    const bool may_resume = other.broken && !other.request.client_id.empty() && !other.held.empty() &&
                            now() < other.broken_at + record.options.resume_window;
    return other.open || may_resume;
  });
}

// A stream that comes back in time keeps what it names; all else of its predecessor is given out again.
void Ledger::OnOpened(int stream, const core::OpenedNotice& opened) {
  StreamRecord& record = streams_.at(stream);
  record.opened_told = true;
  CheckRefusals(stream, opened);
  const std::map<uint64_t, const Attempt*> foreign = Foreign(record, opened);
  std::set<uint64_t> resumed(opened.resumed.begin(), opened.resumed.end());
  for (const auto& [id, attempt] : foreign) resumed.insert(id);
  TakeOver(stream, resumed, foreign);
  for (const auto& [id, attempt] : foreign) {
    if (!record.holds(id)) OnAdopted(stream, id, *attempt);
  }
  for (uint64_t id : resumed) {
    if (!record.holds(id)) Fail(absl::StrCat("resumed what it did not hold: delivery ", id));
  }
}

// From the earlier stream of this client.
void Ledger::TakeOver(int stream, const std::set<uint64_t>& resumed,
                      const std::map<uint64_t, const Attempt*>& foreign) {
  StreamRecord& record = streams_.at(stream);
  DaemonRecord& daemon = daemons_.at(record.daemon);
  if (record.request.client_id.empty()) {
    if (resumed.size() > foreign.size()) Fail("resumed without a client id");
    return;
  }
  for (auto& [number, earlier] : streams_) {
    if (number == stream || earlier.daemon != record.daemon || earlier.replaced) continue;
    if (earlier.request.client_id != record.request.client_id) continue;
    earlier.replaced = true;
    earlier.open = false;
    daemon.turbulent = true;
    const bool kept = !earlier.broken || now() < earlier.broken_at + daemon.options.resume_window;
    const bool in_time = kept && !daemon.draining && !(earlier.app_drains && now() >= earlier.app_deadline);
    std::set<uint64_t> named = OwnIds(record);
    for (const auto& [id, attempt] : foreign) named.insert(id);  // if `Opened` had not arrived
    for (uint64_t id : named) {
      auto held = earlier.held.find(id);
      if (held == earlier.held.end()) continue;
      if (!resumed.contains(id)) {
        if (in_time) Fail(absl::StrCat("not resumed although in time: attempt ", held->second));
        continue;
      }
      record.held.emplace(id, held->second);
      record.held_bytes += fates_[held->second].bytes;
      fates_[held->second].stream = stream;
    }
    earlier.held.clear();
  }
}

void Ledger::OnGiven(int stream, absl::Span<const core::Delivery* const> batch) {
  StreamRecord& record = streams_.at(stream);
  DaemonRecord& daemon = daemons_.at(record.daemon);
  size_t frame_bytes = 0;
  for (const core::Delivery* delivery : batch) {
    const Attempt& attempt = server_->FindAttempt(delivery->message.reply);
    Fate& fate = FateOf(attempt);
    trace_->Add("given: attempt, sequence, stream", attempt.number, attempt.stream_sequence, stream);
    if (const char* blame = BlameForGiving(record, attempt, fate)) {
      return Fail(absl::StrCat(blame, ": attempt ", attempt.number, " to stream ", stream));
    }
    // A call has taken it when it came, and is answered when it is full.
    if (daemon.ordered()) CheckOrder(attempt, record.unary ? now() - core::Fetch::kMostFilling : now());
    if (daemon.exclusive()) CheckFleetOrder(attempt);
    if (daemon.options.ack_all) CheckUnacked(attempt);
    if (daemon.probing && !daemon.draining && !record.unary) CheckProbe(daemon, attempt, batch.size());
    const bool in_order = !daemon.ordered() && !daemon.turbulent;
    if (attempt.num_delivered == 1 && in_order && attempt.incarnation == server_->incarnation()) {
      if (deleted_at_ == absl::InfinitePast() && attempt.stream_sequence < record.last_first_delivery) {
        Fail(absl::StrCat("out of stream order: attempt ", attempt.number));
      }
      record.last_first_delivery = attempt.stream_sequence;
    }
    if (daemon.draining) daemon.awaited += !std::exchange(fate.awaited, true);
    if (fate.stream != 0) LetGoOf(streams_.at(fate.stream), attempt.number);  // it was given back
    // What failed is tried again; and what an app says of what is kept here for another does not count.
    fate.said.reset();
    fate.acked_late = false;
    fate.buried = fate.letter_failed = fate.replaced = false;
    fate.seen = true;
    fate.given_at = now();
    fate.ends_first = absl::InfiniteFuture();
    fate.stream = stream;
    fate.bytes = delivery->bytes;
    daemon.attempt_of[delivery->id] = attempt.number;
    record.held[delivery->id] = attempt.number;
    record.held_bytes += delivery->bytes;
    frame_bytes += delivery->bytes;
  }
  if (batch.empty() || batch.size() > record.request.max_batch) Fail("a frame of more messages than max_batch");
  const bool too_large = frame_bytes > core::OpenRequest::kMaxFrameBytes && !record.unary;
  if (batch.size() > 1 && too_large) Fail("a frame of too many bytes");
  if (record.held.size() > record.credit.messages) Fail(absl::StrCat("beyond the credit of stream ", stream));
  if (record.held_bytes > record.credit.bytes && record.held.size() > 1) {
    Fail(absl::StrCat("beyond the byte credit of stream ", stream));
  }
}

const char* Ledger::BlameForGiving(const StreamRecord& record, const Attempt& attempt, const Fate& fate) const {
  if (!record.open || !record.opened_told || record.drained_told) return "given to a stream that is not open";
  if (record.app_drains) return "given to an app that drains";
  const DaemonRecord& daemon = daemons_.at(record.daemon);
  const bool ended_by_drain = record.unary && now() == daemon.drain_began;  // with what it had
  if (daemon.draining && !LastAttempt(attempt) && !ended_by_drain) return "given while draining";
  if (attempt.owner != record.daemon || !fate.received) return "given by a daemon that never received it";
  if (fate.sent) return "given again after its verdict";
  if (fate.acked_by_twin) return "given although its app has acked another attempt at it";
  // What could not be stored goes back when the pin does, and stays if an app wants it again before that.
  const bool was_given_back = daemon.exclusive() && fate.letter_failed;
  if (fate.buried && !was_given_back) return "given to an app while its dead letter is under way";
  if (fate.said) {
    if (const char* blame = BlameForRetry(attempt, fate)) return blame;
  }
  if (fate.expired) return "given after its lease had ended";
  if (const char* blame = BlameForGivingBesideItsApp(attempt)) return blame;
  if (fate.stream != 0) {
    for (const auto& [id, held] : streams_.at(fate.stream).held) {
      const bool given_back = BlameForRelease(attempt, fate) == nullptr;  // its last attempt is not NAKed but given on
      if (held == attempt.number && !given_back) return "given to two streams at once";
    }
  }
  return nullptr;
}

void Ledger::OnTold(int stream, const core::Notice& notice) {
  StreamRecord& record = streams_.at(stream);
  trace_->Add("told: stream, notice", stream, notice.index());
  if (record.drained_told) return Fail(absl::StrCat("told something after Drained: stream ", stream));
  const bool is_opened = std::holds_alternative<core::OpenedNotice>(notice);
  if (is_opened == record.opened_told) return Fail(absl::StrCat("Opened is not the first notice: stream ", stream));
  if (is_opened) return OnOpened(stream, std::get<core::OpenedNotice>(notice));
  if (const auto* ended = std::get_if<core::LeasesEndedNotice>(&notice)) return OnLeasesEnded(stream, *ended);
  if (std::holds_alternative<core::DrainingNotice>(notice)) record.draining_told = true;
  if (std::holds_alternative<core::DrainedNotice>(notice)) {
    if (!record.draining_told) Fail(absl::StrCat("Drained without Draining: stream ", stream));
    if (!record.claims.empty()) Fail(absl::StrCat("Drained, and verdicts were never answered: stream ", stream));
    record.drained_told = true;
  }
  if (const auto* results = std::get_if<core::SettleResultsNotice>(&notice)) {
    for (const auto& result : results->results) {
      for (uint64_t id : result.ids) OnResult(record, result.outcome, id);
    }
  }
}

void Ledger::OnResult(StreamRecord& record, core::SettleOutcome outcome, uint64_t id) {
  if (outcome == core::SettleOutcome::kNotHeld) {  // judged in AfterSettle()
    record.told_not_held.push_back(id);
    return;
  }
  auto claim = record.claims.find(id);
  if (claim == record.claims.end()) {
    const bool of_in_progress = outcome == core::SettleOutcome::kConfirmed && record.holds(id);
    if (!of_in_progress && outcome != core::SettleOutcome::kLate) Fail(absl::StrCat("a result unasked for: ", id));
    return;
  }
  const auto [number, ours] = claim->second;
  const Attempt& attempt = *attempts_[number];
  const Fate& fate = fates_[number];
  record.claims.erase(claim);
  if (outcome == core::SettleOutcome::kConfirmed && !ours) {
    const Attempt* pending = server_->pending(attempt.stream_sequence);
    const bool kept = fate.letter_failed;  // the daemon has the word, and goes on with it
    if (pending == &attempt && !fate.naked && !kept)
      Fail(absl::StrCat("confirmed behind the server's back: delivery ", id));
  }
  if (outcome == core::SettleOutcome::kFailed) {
    // A Settle does not wait for a dead letter that nobody stores.
    // A Settle does not wait for what is not done before it either, and nobody acks what another pod may have.
    const bool unacked =
        daemons_.at(record.daemon).options.ack_all && (record.unary || fate.in_doubt || StandsBy(record.daemon));
    const bool letter_waits = record.unary && fate.buried && now() >= fate.said_at + core::Fetched::kSettleTimeout;
    const bool explained = HealthySince(record.daemon) > fate.said_at || deleted_at_ >= attempt.sent || letter_waits ||
                           unacked || GoesBackFinished(fate) || Expired(attempt, fate) || record.app_drains ||
                           daemons_.at(record.daemon).draining;
    if (!explained) Fail(absl::StrCat("a verdict failed for no reason: delivery ", id));
  }
}

void Ledger::OnLeasesEnded(int stream, const core::LeasesEndedNotice& ended) {
  const StreamRecord& record = streams_.at(stream);
  DaemonRecord& daemon = daemons_.at(record.daemon);
  daemon.turbulent |= daemon.options.app_health.failures > 0;  // may begin the probing
  for (uint64_t id : ended.ids) {
    auto found = daemon.attempt_of.find(id);
    if (found == daemon.attempt_of.end()) return Fail(absl::StrCat("the lease of an unknown delivery ended: ", id));
    const Attempt& attempt = *attempts_[found->second];
    Fate& fate = fates_[found->second];
    const bool too_long = now() >= fate.lease_from + daemon.options.lease_max;
    const bool cut_off = now() - HealthySince(record.daemon) < AckWait(attempt);
    if (!too_long && !cut_off) Fail(absl::StrCat("the lease of a healthy message ended: attempt ", found->second));
    fate.expired = true;
    if (fate.said && fate.said_at == now()) {  // core found out when the verdict came
      fate.acked_late = fate.said == Verdict::kAck;
      fate.said.reset();
    }
  }
}

void Ledger::OnFinished(int stream, const absl::Status& status) {
  trace_->Add("finished: stream, code", stream, static_cast<int>(status.code()));
  StreamRecord& record = streams_.at(stream);
  const bool must_tell = record.open && (daemons_.at(record.daemon).draining || record.app_drains);
  record.open = false;
  daemons_.at(record.daemon).turbulent = true;
  if (record.drained_told) record.held.clear();
  if (record.drained_told && record.app_drains) NoteDeparture(stream);
  record.claims.clear();
  if (record.drained_told && !status.ok()) Fail(absl::StrCat("drained, then ended with an error: stream ", stream));
  if (must_tell && status.ok() && !record.drained_told) Fail(absl::StrCat("ended without Drained: stream ", stream));
}

void Ledger::OnCredit(int stream, core::Credit credit) {
  StreamRecord& record = streams_.at(stream);
  trace_->Add("credit: stream, messages, bytes", stream, credit.messages, credit.bytes);
  daemons_.at(record.daemon).turbulent = true;
  record.credit = credit;
}

void Ledger::OnAppDrain(int stream, absl::Time deadline) {
  trace_->Add("app drains: stream", stream);
  StreamRecord& record = streams_.at(stream);
  daemons_.at(record.daemon).turbulent = true;
  if (record.app_drains) return;
  record.app_drains = true;
  record.app_deadline = deadline;
}

void Ledger::OnBroken(int stream) {
  trace_->Add("broken: stream", stream);
  StreamRecord& record = streams_.at(stream);
  daemons_.at(record.daemon).turbulent = true;
  record.open = false;
  record.broken = true;
  record.broken_at = now();
  if (record.request.client_id.empty()) record.held.clear();
}

void Ledger::OnHalfClosed(int stream) {
  trace_->Add("half-closed: stream", stream);
  StreamRecord& record = streams_.at(stream);
  daemons_.at(record.daemon).turbulent = true;
  record.open = false;
  record.held.clear();
  NoteDeparture(stream);
}

}  // namespace sluice::test
