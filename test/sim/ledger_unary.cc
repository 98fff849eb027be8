// The callers' side of the ledger: fetches, their leases, and what they settle.
//
// Mutations that the simulation has caught: a lease timer that is not armed ("a result unasked for": the late verdict
// is taken); a lost answer that is kept ("the report awaited another number"); a call with a credit of one more, and
// one whose credit stays when it is answered ("a frame of more messages than max_batch"); a late ACK that is forwarded
// for what went to another app of the pod ("acked twice").
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {
namespace {

// For a NAK that waits until the pull of its own daemon has ended, on the way to the server and back.
constexpr absl::Duration kReturnSlack = absl::Seconds(2);

}  // namespace

void Ledger::OnFetching(int stream, int daemon, const core::FetchRequest& request) {
  trace_->Add("fetching: stream, daemon, batch", stream, daemon, request.batch);
  StreamRecord& record = streams_[stream];
  record.daemon = daemon;
  record.unary = record.opened_told = true;
  record.credit = {request.batch, request.max_bytes};
  record.request.credit = record.credit;
  record.request.max_batch = request.batch;
  record.request.confirm_settlements = true;
  daemons_.at(daemon).departed = false;
}

void Ledger::OnFetched(int stream, const core::FetchResult& result) {
  trace_->Add("fetched: stream, messages", stream, result.deliveries.size());
  StreamRecord& record = streams_.at(stream);
  record.answered = true;
  record.lease = result.lease;
  if (result.lease > daemons_.at(record.daemon).options.lease_max) Fail("a lease beyond lease.max");
  if (!result.status.ok() && !daemons_.at(record.daemon).draining) Fail("a fetch failed without a drain");
  if (!result.status.ok() && !result.deliveries.empty()) Fail("a fetch failed with messages");
  if (result.deliveries.empty()) {
    record.open = false;
    return;
  }
  OnGiven(stream, result.deliveries);
  for (const core::Delivery* delivery : result.deliveries) {
    const Attempt& attempt = server_->FindAttempt(delivery->message.reply);
    FateOf(attempt).lease_from = now();
    record.fetched.push_back(attempt.number);
  }
}

void Ledger::OnCallerGone(int stream) {
  trace_->Add("caller gone: stream", stream);
  StreamRecord& record = streams_.at(stream);
  DaemonRecord& daemon = daemons_.at(record.daemon);
  daemon.turbulent = true;
  daemon.caller_gone = now();
  record.open = false;
  record.gone_at = now();
  record.held.clear();
}

void Ledger::OnSettleAnswered(int stream, absl::Span<const uint64_t> ids, const core::SettleAnswers& answers) {
  StreamRecord& record = streams_.at(stream);
  std::vector<bool> answered(ids.size());
  for (const auto& answer : answers) {
    for (uint64_t position : answer.ids) {
      if (answered.at(position)) return Fail(absl::StrCat("answered twice: position ", position));
      answered[position] = true;
      OnResult(record, answer.outcome, ids[position]);
    }
  }
  if (std::find(answered.begin(), answered.end(), false) != answered.end()) return Fail("a verdict without an answer");
  AfterSettle(stream);
}

// Nobody will say anything of them any more: they are with another app by now, or on their way.
void Ledger::CheckReturned(int stream) {
  const StreamRecord& record = streams_.at(stream);
  const DaemonRecord& daemon = daemons_.at(record.daemon);
  // With order, what goes back may wait here in its lane for another app.
  if (daemon.gone || daemon.draining || daemon.ordered()) return;
  for (uint64_t number : record.fetched) {
    const Fate& fate = fates_[number];
    const Attempt& attempt = *attempts_[number];
    const absl::Time due = std::min(record.gone_at, fate.lease_from + record.lease);
    const bool early = now() < due + daemon.options.pull_expires + kReturnSlack;
    const bool excused = fate.sent || fate.said || fate.lost || fate.stream != stream || LastAttempt(attempt) ||
                         Expired(attempt, fate) || HealthySince(record.daemon) > fate.lease_from;
    if (early || excused || server_->pending(attempt.stream_sequence) != &attempt) continue;
    Fail(absl::StrCat("fetched, left by its caller, and still kept: attempt ", number));
  }
}

}  // namespace sluice::test
