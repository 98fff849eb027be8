// Consumer, as app streams come and go.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/consumer.h"

namespace sluice::core {

absl::StatusOr<Session*> Consumer::Open(const OpenRequest& request, AppStream* stream) {
  const bool returns = by_client_id_.contains(request.client_id);
  if (drain_.active() && (!returns || drain_.phase() == DrainPhase::kClosed)) {
    return absl::UnavailableError("the daemon is draining; reconnect, its successor takes over");
  }
  const size_t streams = sessions_.size() - unary_.sessions();
  if (!returns && !request.unary && streams >= options_.max_streams) {
    return absl::ResourceExhaustedError(
        absl::StrCat("consumer '", options_.name, "' has ", streams, " app streams; raise max_streams or close some"));
  }
  auto owned = std::make_unique<Session>(this, timers_, ++last_session_, request, stream);
  Session* session = owned.get();
  sessions_.emplace(session->number(), std::move(owned));
  departed_ = false;
  Session* predecessor = nullptr;
  if (!request.client_id.empty()) predecessor = std::exchange(by_client_id_[request.client_id], session);
  std::vector<Claim> claims = ReadTokens(request);
  if (predecessor != nullptr) HandOver(predecessor, session, Named(request, claims));
  // In a drain a last delivery goes to an app at once, maybe to this one: not before its `Opened`.
  const bool late = drain_.active();
  if (predecessor != nullptr && !late) TakeBackLost(predecessor);
  Welcome(session, request, std::move(claims));
  if (predecessor != nullptr && late) TakeBackLost(predecessor);
  if (predecessor != nullptr) EndSession(predecessor);
  Pump();
  return session;
}

// To a new stream of the same client.
void Consumer::HandOver(Session* predecessor, Session* session, const std::vector<uint64_t>& resume) {
  predecessor->FinishStream(absl::AbortedError("another stream was opened with this client_id"));
  const absl::flat_hash_set<uint64_t> named(resume.begin(), resume.end());
  for (Delivery* delivery : predecessor->Held()) {
    if (!named.contains(delivery->id)) continue;
    predecessor->Drop(delivery);
    session->Adopt(delivery);
  }
}

void Consumer::TellOpened(Session* session, const OpenRequest& request, OpenedNotice opened) {
  opened.ack_wait = intake_.info_known() ? intake_.info().ack_wait : absl::ZeroDuration();
  opened.max_lease = options_.lease_max;
  opened.credit = session->credit();
  opened.max_batch = request.max_batch;
  opened.stream = options_.stream;
  opened.durable = options_.durable;
  absl::flat_hash_set<uint64_t> told(opened.resumed.begin(), opened.resumed.end());
  for (const OpenedNotice::Adopted& one : opened.adopted) told.insert(one.id);
  for (const Delivery* delivery : session->Held()) {
    if (told.insert(delivery->id).second) opened.resumed.push_back(delivery->id);
  }
  session->SetOpened();
  session->Tell(std::move(opened));
  session->Tell(told_);
  if (drain_.active()) session->Tell(DrainingNotice{DrainReason::kDaemon, drain_deadline_});
}

void Consumer::OnStreamHalfClosed(Session* session) {
  NoteDeparture(session);
  session->FinishStream(absl::OkStatus());
  TakeBack(session->Queued());
  HandBack(session);
  EndSession(session);
}

void Consumer::OnStreamBroken(Session* session) {
  if (session->held_count() > 0) health_.OnFailure();
  TakeBack(session->Queued());
  const bool keeps = !session->client_id().empty() && session->held_count() > 0;
  if (keeps) {
    session->Detach(options_.resume_window);
    owner_->OnStreamEnded();
    Pump();
  } else {
    HandBack(session);
    EndSession(session);
  }
}

void Consumer::OnResumeWindowOver(Session* session) {
  HandBack(session);
  EndSession(session);
}

void Consumer::EndResumeWindows() {
  const auto detached = [](const auto& entry) { return !entry.second->attached(); };
  // Looked up anew each time: the end of one may be the end of others.
  while (true) {
    const auto it = std::find_if(sessions_.begin(), sessions_.end(), detached);
    if (it == sessions_.end()) return;
    OnResumeWindowOver(it->second.get());
  }
}

// Before it ends, as its app wished. A call is followed by the next one.
void Consumer::NoteDeparture(const Session* session) { departed_ = sessions_.size() == 1 && !session->unary(); }

// The session has no stream any more, and holds nothing.
void Consumer::EndSession(Session* session) {
  auto it = by_client_id_.find(session->client_id());
  if (it != by_client_id_.end() && it->second == session) by_client_id_.erase(it);
  waiting_opens_.erase(session->number());
  sessions_.erase(session->number());
  owner_->OnStreamEnded();
  Pump();
}

void Consumer::ConfirmSession(uint64_t number) {
  const absl::Time asked = timers_->now();
  outbox_.Fence(asked + options_.confirm_timeout, [this, number, asked](uint64_t unconfirmed) {
    auto it = sessions_.find(number);
    if (it == sessions_.end()) return;
    Session* session = it->second.get();
    DrainReport& report = session->drain_report();
    outbox_.FailClaims(number, kNotConfirmedInDrain);
    FailDeadLetterClaims(number, kNotConfirmedInDrain);
    if (floor_ != nullptr) OnResults(number, SettleOutcome::kFailed, floor_->TakeClaims(number), kNotConfirmedInDrain);
    report.unsettled += unconfirmed;
    report.phases[static_cast<int>(DrainPhase::kConfirming)] = timers_->now() - asked;
    session->Tell(DrainedNotice{report});
    session->FinishStream(absl::OkStatus());
    NoteDeparture(session);
    GiveBack(session->Held());  // only what has expired
    EndSession(session);
  });
}

}  // namespace sluice::core
