// What the daemon tells a session; its own thread.
#include <google/protobuf/util/time_util.h>

#include <string>
#include <unordered_map>
#include <utility>

#include "client-sdk/cpp/session.h"
#include "client-sdk/cpp/wire.h"

namespace sluice::internal {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using std::chrono::system_clock;

}  // namespace

void Session::Handle(const v1::ConsumeResponse& notice) {
  switch (notice.kind_case()) {
    case v1::ConsumeResponse::kOpened:
      return OnOpened(notice.opened());
    case v1::ConsumeResponse::kSettleResults:
      return OnSettleResults(notice.settle_results());
    case v1::ConsumeResponse::kState:
      return TellState(ToState(notice.state().kind()), notice.state().detail());
    case v1::ConsumeResponse::kLeasesEnded:
      return OnLeasesEnded(notice.leases_ended());
    case v1::ConsumeResponse::kDraining:
      return OnDraining(notice.draining());
    case v1::ConsumeResponse::kDrained:
      return OnDrained(notice.drained());
    default:
      return;  // of a later daemon
  }
}

void Session::OnOpened(const v1::Opened& opened) {
  std::unordered_map<uint64_t, uint64_t> resumed;
  for (const v1::Resumed& one : opened.resumed()) resumed.emplace(one.held_id(), one.id());
  Confirmations::Dues due;
  Lock lock(mutex_);
  Tell(ledger_.OnOpened(resumed));
  ledger_.stats().refused += opened.refused_size();
  confirmations_.OnOpened(resumed, due);
  max_lease_ = milliseconds(TimeUtil::DurationToMilliseconds(opened.max_lease()));
  ending_.OnOpened(SteadyClock::now());
  if (Wanted() != asked_) SendCredit();  // a fetch has begun or ended since Open
  if (ending_.wish() != Ending::Wish::kStop) inbox_.Resume();
  Write(lock);
  lock.lock();
  Announce(lock);
  TellOutcomes(due);
}

void Session::OnSettleResults(const v1::SettleResults& results) {
  using Result = v1::SettleResult;
  for (const Result& result : results.results()) {
    Confirmations::Dues due;
    const auto told = [&](Outcome outcome, uint64_t Stats::*count) {
      std::lock_guard lock(mutex_);
      if (count != nullptr) ledger_.stats().*count += result.ids_size();
      if (!options_.consume.confirm) return;
      for (const uint64_t id : result.ids()) confirmations_.OnResult(id, outcome, due);
    };
    const auto error = [&](grpc::StatusCode code, const char* what) {
      const std::string detail = result.detail().empty() ? "" : ": " + result.detail();
      hooks_.TellError(code, std::to_string(result.ids_size()) + what + detail);
    };
    switch (result.outcome()) {
      case Result::OUTCOME_CONFIRMED:
        told(Outcome::kConfirmed, nullptr);
        break;
      case Result::OUTCOME_LATE:
        told(Outcome::kLate, &Stats::late);
        error(grpc::StatusCode::DEADLINE_EXCEEDED, " verdicts came after their lease had ended");
        break;
      case Result::OUTCOME_NOT_HELD:
        told(Outcome::kNotHeld, &Stats::not_held);
        error(grpc::StatusCode::NOT_FOUND, " verdicts were for messages that the daemon does not hold");
        break;
      case Result::OUTCOME_FAILED:
        told(Outcome::kFailed, &Stats::failed);
        error(grpc::StatusCode::UNAVAILABLE, " verdicts could not be confirmed");
        break;
      default:
        break;  // of a later daemon
    }
    TellOutcomes(due);
  }
}

void Session::OnLeasesEnded(const v1::LeasesEnded& ended) {
  Lock lock(mutex_);
  Tell(ledger_.OnLeasesEnded({ended.ids().begin(), ended.ids().end()}));
  Write(lock);
  lock.lock();
  Announce(lock);
}

void Session::OnDraining(const v1::Draining& draining) {
  const Draining notice{draining.reason() == v1::Draining::REASON_DAEMON, ToTimePoint(draining.deadline())};
  if (draining.has_deadline()) {
    std::lock_guard lock(mutex_);
    ending_.OnDraining(notice.deadline, system_clock::now(), SteadyClock::now());
  }
  hooks_.TellDraining(notice);
}

void Session::OnDrained(const v1::Drained& drained) {
  const DrainReport report = ToReport(drained.report());
  {
    Lock lock(mutex_);
    ending_.OnDrained(report);
    ledger_.OnDrained();
    Announce(lock);
  }
  hooks_.TellDrained(report);
}

}  // namespace sluice::internal
