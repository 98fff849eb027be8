// The ledger: daemons that come and go, their drains and reports.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

void Ledger::OnDaemonStarted(int daemon, const core::ConsumerOptions& options) {
  trace_->Add("started: daemon", daemon);
  daemons_[daemon].options = options;
  daemons_[daemon].started = now();
}

void Ledger::OnDrain(int daemon, absl::Time deadline) {
  trace_->Add("drain: daemon", daemon);
  DaemonRecord& record = daemons_.at(daemon);
  record.draining = true;
  record.drain_began = now();
  record.drain_deadline = deadline;
  record.awaited = AwaitHeld(daemon);
  ++drains_;
}

uint64_t Ledger::AwaitHeld(int daemon) {
  uint64_t count = 0;
  for (const auto& [number, stream] : streams_) {
    if (stream.daemon != daemon) continue;
    const bool given_back = (stream.broken && now() >= stream.broken_at + daemons_.at(daemon).options.resume_window) ||
                            (stream.app_drains && stream.app_deadline <= (stream.broken ? stream.broken_at : now()));
    if (given_back) continue;
    for (const auto& [id, attempt] : stream.held) {
      if (LeaseIsOver(stream, fates_[attempt])) continue;  // it has gone back
      fates_[attempt].awaited = !Expired(*attempts_[attempt], fates_[attempt]);
      count += fates_[attempt].awaited;
    }
  }
  for (uint64_t number = 0; number < fates_.size(); ++number) {
    const Attempt& attempt = *attempts_[number];
    if (attempt.owner != daemon || !IsBeingBuried(attempt, fates_[number])) continue;
    count += !std::exchange(fates_[number].awaited, true);
  }
  return count;
}

void Ledger::OnDrained(int daemon, const core::DrainReport& report) {
  trace_->Add("drained: daemon, awaited, unsettled", daemon, report.awaited, report.unsettled);
  DaemonRecord& record = daemons_.at(daemon);
  record.drained = true;
  record.report = report;
  if (const char* blame = BlameForReport(record)) {
    Fail(absl::StrCat(blame, ": daemon ", daemon, ", ", report.ToString(), ", counted ", record.awaited));
  }
  for (const auto& [number, stream] : streams_) {
    if (stream.daemon != daemon || stream.broken) continue;
    if (stream.open && !stream.unary) Fail(absl::StrCat("drained, but stream ", number, " is still open"));
  }
  CheckNothingLeft(daemon);
}

const char* Ledger::BlameForReport(const DaemonRecord& record) const {
  const core::DrainReport& report = record.report;
  const uint64_t told = report.acked + report.terminated + report.naked + report.expired + report.dead_lettered;
  if (report.awaited != record.awaited) return "the report awaited another number";
  if (told > report.awaited || report.awaited - told > report.unsettled) return "the report does not add up";
  const bool kept_waiting = now() >= record.drain_deadline && report.awaited > 0;
  if (report.deadline_exceeded && !kept_waiting) return "the report says the deadline was exceeded";
  return nullptr;
}

// A drain that says all is settled leaves nothing of this daemon pending on the server.
void Ledger::CheckNothingLeft(int daemon) {
  const DaemonRecord& record = daemons_.at(daemon);
  if (record.report.unsettled > 0) return;
  for (uint64_t number = 0; number < fates_.size(); ++number) {
    const Attempt& attempt = *attempts_[number];
    const Fate& fate = fates_[number];
    if (attempt.owner != daemon || server_->pending(attempt.stream_sequence) != &attempt) continue;
    // `taken`: NAKed by way of an earlier attempt at it, which was kept, finished (ack_policy: all).
    const bool explained = fate.naked || fate.taken || fate.expired || fate.lost || fate.wait_over ||
                           now() >= fate.lease_from + record.options.lease_max ||
                           (record.options.ack_all && DoneByAnApp(attempt.stream_sequence) && LastAttempt(attempt)) ||
                           now() - HealthySince(daemon) < AckWait(attempt);
    if (!explained) Fail(absl::StrCat("drained, but attempt ", number, " is still pending on the server"));
  }
}

void Ledger::OnDaemonGone(int daemon, bool killed) {
  trace_->Add(killed ? "killed: daemon" : "exited: daemon", daemon);
  DaemonRecord& record = daemons_.at(daemon);
  record.gone = true;
  record.killed = killed;
  if (killed) record.killed_at = now();
  for (auto& [number, stream] : streams_) stream.open &= stream.daemon != daemon;
}

}  // namespace sluice::test
