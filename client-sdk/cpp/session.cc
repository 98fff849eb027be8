#include "client-sdk/cpp/session.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client-sdk/cpp/wire.h"

namespace sluice::internal {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr auto kForever = std::chrono::hours(24 * 365);
// A daemon that has not answered `Opened` by then is taken for hung.
constexpr auto kOpenTimeout = std::chrono::seconds(10);
// Beyond what a drain may take by its own deadline: the daemon's final phases and the way back.
constexpr auto kDrainGrace = std::chrono::seconds(5);
// For a drain without a timeout of its own, until `Draining` tells the daemon's.
constexpr auto kDrainDefault = std::chrono::seconds(60);
constexpr auto kStopTimeout = std::chrono::seconds(5);
// The daemon's default: it has given everything back by then, so a drain has nothing left to wait for.
constexpr auto kResumeWindow = std::chrono::seconds(5);
// A stream that lasted this long was a good one: the next is tried without waiting.
constexpr auto kLived = std::chrono::seconds(1);

// Answers that no amount of patience changes.
bool IsPermanent(const grpc::Status& end) {
  switch (end.error_code()) {
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return true;
    default:
      return false;
  }
}

}  // namespace

Session::Session(SessionOptions options)
    : options_(std::move(options)),
      backoff_(options_.first_retry, options_.longest_retry),
      credit_(options_.consume.credit.messages, options_.consume.concurrency),
      ledger_(credit_.most(), options_.consume.remembered_verdicts) {}

// ---------------------------------------------------------------------------------------------------------------
// Own thread

void Session::Run(v1::ConsumerService::Stub& stub) {
  TellState(State::kConnecting, "");
  grpc::Status end;
  do {
    end = RunStream(stub);
  } while (!IsLast(end) && AwaitRetry(end));
  Close(end);
}

grpc::Status Session::RunStream(v1::ConsumerService::Stub& stub) {
  Stream stream(shared_from_this(), &stub);
  std::unique_lock lock(mutex_);
  stream_ = &stream;
  reads_over_ = released_ = false;
  followed_ = Wish::kServe;
  done_.reset();
  const bool kept = StillKept();
  drained_ = false;
  drain_deadline_.reset();
  connected_since_.reset();
  give_up_ = SteadyClock::now() + kOpenTimeout;
  outbox_.Open(OpenRequest(kept));
  lock.unlock();
  stream.Start();
  lock.lock();
  Write(lock);
  lock.lock();
  Serve(stream, lock);
  stream_ = nullptr;
  return *done_;
}

// Whether a daemon that died since can have given back nothing of what the last stream held: not by the end of a drain,
// and not by the end of its resume window.
bool Session::StillKept() const {
  const bool by_drain = drained_ || (drain_deadline_ && system_clock::now() >= *drain_deadline_);
  return !by_drain && SteadyClock::now() - last_connected_ < kResumeWindow;
}

v1::ConsumeRequest Session::OpenRequest(bool kept) const {
  v1::ConsumeRequest request;
  v1::Open& open = *request.mutable_open();
  open.set_consumer(options_.consumer);
  open.set_client_id(options_.client_id);
  open.set_max_batch(options_.consume.max_batch);
  open.mutable_credit()->set_messages(wish_ == Wish::kServe ? credit_.messages() : 0);
  open.mutable_credit()->set_bytes(options_.consume.credit.bytes);
  open.set_resumable(options_.consume.resumable);
  ledger_.NameHeld(kept, open);
  return request;
}

void Session::Serve(Stream& stream, std::unique_lock<std::mutex>& lock) {
  while (true) {
    const bool awake = changed_.wait_until(lock, give_up_, [this] { return done_ || notice_ || wish_ > followed_; });
    if (done_) return;
    if (!awake) {
      give_up_ = SteadyClock::now() + kForever;
      if (wish_ == Wish::kDrain) wish_ = Wish::kStop;  // the drain has had its time
      stream.Cancel();
    } else if (notice_) {
      std::shared_ptr<Frame> notice = std::move(notice_);
      lock.unlock();
      Handle(*notice->response);
      notice.reset();
      stream.Read();
      lock.lock();
    } else {
      FollowWish(lock);
    }
  }
}

// Tells the daemon what the app wants now. A drain waits for `Opened`, and OnOpened() comes back to it.
void Session::FollowWish(std::unique_lock<std::mutex>& lock) {
  followed_ = wish_;
  if (wish_ == Wish::kStop) {
    outbox_.Finish();
    give_up_ = SteadyClock::now() + kStopTimeout;
  } else if (!ledger_.connected()) {
    give_up_ = std::min(give_up_, SteadyClock::now() + kStopTimeout);
  } else {
    if (options_.consume.hand_back_on_drain) Tell(ledger_.HandBack());
    v1::ConsumeRequest request;
    request.mutable_drain();
    if (drain_timeout_) {
      *request.mutable_drain()->mutable_timeout() = TimeUtil::MillisecondsToDuration(drain_timeout_->count());
    }
    outbox_.Add(std::move(request));
    give_up_ = SteadyClock::now() + drain_timeout_.value_or(kDrainDefault) + kDrainGrace;
  }
  Write(lock);
  lock.lock();
}

bool Session::IsLast(const grpc::Status& end) const {
  std::lock_guard lock(mutex_);
  if (wish_ == Wish::kStop || IsPermanent(end)) return true;
  if (wish_ == Wish::kServe) return false;
  return drain_report_.completed || ledger_.stats().streams == 0 ||
         SteadyClock::now() - last_connected_ > kResumeWindow;
}

// False: the app does not want another stream.
bool Session::AwaitRetry(const grpc::Status& end) {
  TellState(State::kConnecting, end.ok() ? "the stream has ended" : end.error_message());
  {
    std::unique_lock lock(mutex_);
    if (connected_since_ && last_connected_ - *connected_since_ >= kLived) backoff_.Reset();
    const Wish wish = wish_;
    changed_.wait_for(lock, backoff_.Next(), [&] { return wish_ != wish; });
  }
  return !IsLast(end);
}

void Session::Close(const grpc::Status& end) {
  grpc::Status result;
  {
    std::lock_guard lock(mutex_);
    ledger_.Close();
    if (wish_ == Wish::kServe) result = end;
  }
  inbox_.Close();
  if (!result.ok()) TellError(result.error_code(), result.error_message());
  TellState(State::kClosed, result.error_message());
  std::vector<std::function<void()>> callbacks;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    end_ = result;
    callbacks.swap(on_closed_);
    changed_.notify_all();
  }
  for (const auto& callback : callbacks) callback();
}

void Session::Handle(const v1::ConsumeResponse& notice) {
  switch (notice.kind_case()) {
    case v1::ConsumeResponse::kOpened:
      return OnOpened(notice.opened());
    case v1::ConsumeResponse::kSettleResults:
      return OnSettleResults(notice.settle_results());
    case v1::ConsumeResponse::kState:
      return TellState(ToState(notice.state().kind()), notice.state().detail());
    case v1::ConsumeResponse::kLeasesEnded: {
      std::unique_lock lock(mutex_);
      const auto& ids = notice.leases_ended().ids();
      Tell(ledger_.OnLeasesEnded({ids.begin(), ids.end()}));
      return Write(lock);
    }
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
  std::unique_lock lock(mutex_);
  Tell(ledger_.OnOpened(resumed));
  ledger_.stats().refused += opened.refused_size();
  max_lease_ = milliseconds(TimeUtil::DurationToMilliseconds(opened.max_lease()));
  followed_ = Wish::kServe;
  connected_since_ = SteadyClock::now();
  give_up_ = SteadyClock::now() + kForever;
  if (wish_ != Wish::kStop) inbox_.Resume();
  Write(lock);
}

void Session::OnSettleResults(const v1::SettleResults& results) {
  using Result = v1::SettleResult;
  for (const Result& result : results.results()) {
    const auto tell = [&](uint64_t Stats::*count, grpc::StatusCode code, const char* what) {
      {
        std::lock_guard lock(mutex_);
        ledger_.stats().*count += result.ids_size();
      }
      const std::string detail = result.detail().empty() ? "" : ": " + result.detail();
      TellError(code, std::to_string(result.ids_size()) + what + detail);
    };
    if (result.outcome() == Result::OUTCOME_LATE) {
      tell(&Stats::late, grpc::StatusCode::DEADLINE_EXCEEDED, " verdicts came after their lease had ended");
    } else if (result.outcome() == Result::OUTCOME_NOT_HELD) {
      tell(&Stats::not_held, grpc::StatusCode::NOT_FOUND, " verdicts were for messages that the daemon does not hold");
    } else if (result.outcome() == Result::OUTCOME_FAILED) {
      tell(&Stats::failed, grpc::StatusCode::UNAVAILABLE, " verdicts could not be confirmed");
    }
  }
}

void Session::OnDraining(const v1::Draining& draining) {
  const Draining notice{draining.reason() == v1::Draining::REASON_DAEMON, ToTimePoint(draining.deadline())};
  {
    std::lock_guard lock(mutex_);
    if (draining.has_deadline()) drain_deadline_ = notice.deadline;
    if (draining.has_deadline() && followed_ != Wish::kStop) {
      give_up_ = SteadyClock::now() + (notice.deadline - system_clock::now()) + kDrainGrace;
    }
  }
  Call(options_.consume.on_draining, notice);
}

void Session::OnDrained(const v1::Drained& drained) {
  const DrainReport report = ToReport(drained.report());
  {
    std::lock_guard lock(mutex_);
    drained_ = true;
    if (wish_ == Wish::kDrain) drain_report_ = report;
  }
  Call(options_.consume.on_drained, report);
}

void Session::Tell(const std::vector<Settlement>& settlements) {
  for (const Settlement& settlement : settlements) outbox_.AddVerdict(settlement.id, settlement.verdict);
}

void Session::Write(std::unique_lock<std::mutex>& lock) {
  Stream* const stream = stream_;  // lives while a write is in flight
  const Outbox::Step step = outbox_.Next();
  lock.unlock();
  if (step != Outbox::Step::kNothing) stream->Perform(step, outbox_.request());
}

template <typename Hook, typename... Args>
void Session::Call(const Hook& hook, const Args&... args) {
  if (!hook) return;
  try {
    hook(args...);
  } catch (...) {
    // A hook is for telling; there is nobody left to tell of its own failure, and the stream must go on.
  }
}

void Session::TellError(grpc::StatusCode code, const std::string& message) {
  Call(options_.consume.on_error, grpc::Status(code, message));
}

// ---------------------------------------------------------------------------------------------------------------
// gRPC's threads

void Session::OnDeliveries(std::shared_ptr<Frame> frame) {
  {
    std::unique_lock lock(mutex_);
    if (!ledger_.connected()) return;  // before `Opened`: not this contract
    Tell(ledger_.Accept(*frame));
    AdjustCredit();
    Write(lock);
  }
  inbox_.Push(std::move(frame));
}

void Session::AdjustCredit() {
  const Stats& stats = ledger_.stats();
  const auto changed = credit_.Update(SteadyClock::now(), stats.acked + stats.naked + stats.terminated);
  if (!changed || wish_ != Wish::kServe) return;
  v1::ConsumeRequest request;
  request.mutable_credit()->set_messages(*changed);
  request.mutable_credit()->set_bytes(options_.consume.credit.bytes);
  outbox_.Add(std::move(request));
}

void Session::OnNotice(std::shared_ptr<Frame> frame) {
  std::lock_guard lock(mutex_);
  notice_ = std::move(frame);
  changed_.notify_all();
}

void Session::OnReadsOver() {
  std::unique_lock lock(mutex_);
  inbox_.Pause();
  if (ledger_.connected()) last_connected_ = SteadyClock::now();
  ledger_.OnStreamEnded();
  outbox_.Close();
  reads_over_ = true;
  Stream* const stream = stream_;
  const bool release = !outbox_.in_flight() && !std::exchange(released_, true);
  lock.unlock();
  if (release) stream->Release();
}

void Session::OnWritten(bool ok) {
  std::unique_lock lock(mutex_);
  outbox_.Done();
  if (!ok) outbox_.Close();
  if (!reads_over_) return Write(lock);
  Stream* const stream = stream_;
  const bool release = !std::exchange(released_, true);
  lock.unlock();
  if (release) stream->Release();
}

void Session::OnDone(const grpc::Status& status) {
  std::lock_guard lock(mutex_);
  done_ = status;
  changed_.notify_all();
}

// ---------------------------------------------------------------------------------------------------------------
// The app's threads

bool Session::Settle(Held& held, const Verdict& verdict) {
  std::unique_lock lock(mutex_);
  if (held.settled) return false;
  if (const auto id = ledger_.Settle(held, verdict)) {
    outbox_.AddVerdict(*id, verdict);
    Write(lock);
  }
  return true;
}

void Session::InProgress(Held& held) {
  std::unique_lock lock(mutex_);
  if (held.settled) return;
  held.leased = system_clock::now();
  if (!ledger_.knows(held) || held.progress_in > outbox_.taken()) return;  // not now, or still queued
  held.progress_in = outbox_.AddInProgress(held.id);
  Write(lock);
}

system_clock::time_point Session::Deadline(const Held& held) const {
  std::lock_guard lock(mutex_);
  const auto lease = max_lease_.count() > 0 ? held.leased + max_lease_ : system_clock::time_point::max();
  return std::min(lease, drain_deadline_.value_or(system_clock::time_point::max()));
}

void Session::StartDrain(std::optional<milliseconds> timeout) {
  std::lock_guard lock(mutex_);
  if (wish_ != Wish::kServe) return;
  wish_ = Wish::kDrain;
  if (timeout) drain_timeout_ = std::max(*timeout, milliseconds(0));
  changed_.notify_all();
}

void Session::StartStop() {
  std::lock_guard lock(mutex_);
  inbox_.Pause();
  wish_ = Wish::kStop;
  changed_.notify_all();
}

grpc::Status Session::WaitClosed() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_; });
  return end_;
}

bool Session::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

void Session::NotifyClosed(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      on_closed_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

DrainReport Session::drain_report() const {
  std::lock_guard lock(mutex_);
  return drain_report_;
}

Stats Session::stats() const {
  std::lock_guard lock(mutex_);
  return ledger_.stats();
}

void Session::OnThrown(const std::string& what) {
  {
    std::lock_guard lock(mutex_);
    ++ledger_.stats().thrown;
  }
  TellError(grpc::StatusCode::INTERNAL, "a handler threw: " + what);
}

void Session::Forget(Frame& frame) {
  std::lock_guard lock(mutex_);
  ledger_.Forget(frame);
}

}  // namespace sluice::internal
