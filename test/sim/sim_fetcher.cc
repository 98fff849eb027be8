#include "test/sim/sim_fetcher.h"

#include <algorithm>

#include "test/sim/sim_pod.h"

namespace sluice::test {

using core::Verdict;

namespace {

constexpr absl::Duration kPause = absl::Milliseconds(200);  // after a refusal, or without a daemon
constexpr absl::Duration kReturnedBy = absl::Seconds(5);    // beyond a lease: ledger_unary.cc knows better

}  // namespace

void SimFetcher::Later(absl::Duration delay, absl::AnyInvocable<void()> action) {
  context_.timers->After(delay, [alive = std::weak_ptr<bool>(alive_), action = std::move(action)]() mutable {
    if (alive.lock() != nullptr) action();
  });
}

absl::Duration SimFetcher::Latency() { return context_.dice->Between(absl::Microseconds(20), absl::Microseconds(300)); }

bool SimFetcher::DaemonLives(const Call& call) const { return pod_->running() && pod_->number() == call.daemon; }

void SimFetcher::Fetch() {
  if (!pod_->running()) return Later(kPause, [this] { Fetch(); });
  auto call = std::make_shared<Call>();
  call->stream = ++*last_stream_;
  call->daemon = pod_->number();
  context_.ledger->OnFetching(call->stream, call->daemon, profile_.request);
  const auto number = pod_->unary().Fetch(
      profile_.request, [this, call, alive = std::weak_ptr<bool>(alive_)](const core::FetchResult& result) {
        context_.ledger->OnFetched(call->stream, result);
        if (alive.lock() != nullptr) OnFetched(call, result);
      });
  if (!number.ok()) {
    context_.ledger->OnStreamRefused(call->stream);
    return Later(kPause, [this] { Fetch(); });
  }
  call->number = *number;
  // A daemon that is killed says nothing; nor does one that the caller has left.
  const bool leaves = context_.dice->Chance(profile_.goes_away);
  const absl::Duration patience =
      leaves ? context_.dice->Between(absl::ZeroDuration(), profile_.request.max_wait) : absl::Seconds(5);
  Later(patience, [this, call] {
    if (call->ended) return;
    if (DaemonLives(*call)) GoAway(call);
    Fetch();
  });
}

void SimFetcher::GoAway(const CallPtr& call) {
  call->ended = true;
  context_.ledger->OnCallerGone(call->stream);
  pod_->unary().Cancel(call->number);
}

void SimFetcher::OnFetched(const CallPtr& call, const core::FetchResult& result) {
  call->ended = true;
  for (const core::Delivery* delivery : result.deliveries) {
    call->works.push_back({delivery->id, context_.server->FindAttempt(delivery->message.reply).number});
  }
  if (call->works.empty()) return Later(result.status.ok() ? Latency() : kPause, [this] { Fetch(); });
  context_.timers->After(result.lease + kReturnedBy,
                         [ledger = context_.ledger, stream = call->stream] { ledger->CheckReturned(stream); });
  if (context_.dice->Chance(profile_.loses_answer)) return Later(Latency(), [this, call] { LoseAnswer(call); });
  const absl::Duration work = context_.dice->Between(absl::ZeroDuration(), profile_.most_work);
  if (context_.dice->Chance(profile_.says_in_progress)) Later(work / 2, [this, call] { SayInProgress(call); });
  Later(Latency() + work, [this, call] { FinishWork(call); });
}

void SimFetcher::LoseAnswer(const CallPtr& call) {
  if (DaemonLives(*call)) {
    context_.ledger->OnCallerGone(call->stream);
    std::vector<uint64_t> ids;
    for (const Work& work : call->works) ids.push_back(work.id);
    pod_->unary().Return(ids);
    context_.timers->After(kReturnedBy,
                           [ledger = context_.ledger, stream = call->stream] { ledger->CheckReturned(stream); });
  }
  Fetch();
}

void SimFetcher::SayInProgress(const CallPtr& call) {
  std::vector<uint64_t> ids;
  for (const Work& work : call->works) ids.push_back(work.id);
  Settle(call, std::move(ids), {Verdict::kInProgress, absl::ZeroDuration(), {}}, [] {});
}

void SimFetcher::FinishWork(const CallPtr& call) {
  for (Work& work : call->works) {
    work.verdict = context_.dice->Chance(profile_.naks)    ? Verdict::kNak
                   : context_.dice->Chance(profile_.terms) ? Verdict::kTerm
                                                           : Verdict::kAck;
    if (work.verdict != Verdict::kNak) context_.ledger->OnHandled(work.attempt);
  }
  std::erase_if(call->works, [this](const Work&) { return context_.dice->Chance(profile_.forgets); });
  SettleNext(call);
  Later(Latency(), [this] { Fetch(); });
}

// One verdict for as many as have it, then the next.
void SimFetcher::SettleNext(const CallPtr& call) {
  if (call->works.empty()) return;
  const Verdict verdict = call->works.front().verdict;
  std::vector<uint64_t> ids;
  for (const Work& work : call->works) {
    if (work.verdict == verdict) ids.push_back(work.id);
  }
  std::erase_if(call->works, [verdict](const Work& work) { return work.verdict == verdict; });
  if (context_.dice->Chance(profile_.misbehaves)) {
    ids.push_back(context_.dice->Chance(0.5) ? ids.front() : context_.dice->Seed());
  }
  core::Settlement settlement;
  settlement.verdict = verdict;
  if (verdict == Verdict::kTerm) settlement.term_reason = "hopeless";
  Settle(call, std::move(ids), settlement, [this, call] { SettleNext(call); });
}

void SimFetcher::Settle(const CallPtr& call, std::vector<uint64_t> ids, core::Settlement settlement,
                        absl::AnyInvocable<void()> then) {
  if (!DaemonLives(*call)) return;
  std::vector<core::SettleTarget> targets;
  for (uint64_t id : ids) targets.push_back({id});
  const core::SettleRun run = {ids, settlement};
  context_.ledger->BeforeSettle(call->stream, {&run, 1});
  pod_->unary().Settle(targets, settlement,
                       [this, call, ids, alive = std::weak_ptr<bool>(alive_),
                        then = std::move(then)](core::SettleAnswers answers) mutable {
                         context_.ledger->OnSettleAnswered(call->stream, ids, answers);
                         if (alive.lock() != nullptr) Later(Latency(), std::move(then));
                       });
}

}  // namespace sluice::test
