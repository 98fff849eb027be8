#include "client-sdk/cpp/session.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "client-sdk/cpp/turn.h"

// The session's own thread, and the poller's; what the app's threads call is in session_app.cc, what the daemon tells
// in session_notices.cc.
namespace sluice::internal {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::system_clock;

constexpr auto kTellStats = std::chrono::seconds(1);
// How long a verdict may wait for others to go with, once one has gone out. Far below what a handler is noticed to
// take; long enough for a frame of quick ones.
constexpr auto kWriteEvery = std::chrono::milliseconds(1);
// A daemon whose credit is used up waits for verdicts: no more than this part of it does.
constexpr uint32_t kPartOfCredit = 8;
// What comes too late for its fetch waits so long for the next one.
constexpr auto kKeepForNextFetch = std::chrono::seconds(1);

CreditWindow MakeWindow(const SessionOptions& options) {
  return {options.style == Style::kFetched ? 1u << 20 : options.consume.credit.messages, options.consume.concurrency};
}

}  // namespace

Session::Session(SessionOptions options)
    : options_(std::move(options)),
      hooks_(options_.consumer, options_.consume, options_.log),
      backoff_(options_.first_retry, options_.longest_retry),
      credit_(MakeWindow(options_)),
      ledger_(options_.style == Style::kFetched ? 0 : credit_.most(), options_.consume.remembered),
      hand_back_at_(SteadyClock::now() + Ending::kForever),
      write_at_(hand_back_at_),
      tell_stats_at_(SteadyClock::now() + (hooks_.wants_stats() ? kTellStats : Ending::kForever)) {}

void Session::Run(ConsumeStub& stub, Poller& poller) {
  TellState(State::kConnecting, "");
  grpc::Status end;
  do {
    end = RunStream(stub, poller);
  } while (AwaitRetry(end));
  Close(end);
}

grpc::Status Session::RunStream(ConsumeStub& stub, Poller& poller) {
  Stream stream(shared_from_this(), &stub, &poller);
  Lock lock(mutex_);
  stream_ = &stream;
  reads_over_ = released_ = false;
  done_.reset();
  ending_.OnConnecting(SteadyClock::now());
  outbox_.Open(OpenRequest());
  lock.unlock();
  stream.Start();
  lock.lock();
  Write(lock);
  lock.lock();
  Serve(stream, lock);
  stream_ = nullptr;
  return *done_;
}

v1::ConsumeRequest Session::OpenRequest() {
  asked_ = Wanted();
  v1::ConsumeRequest request;
  v1::Open& open = *request.mutable_open();
  open.set_consumer(options_.consumer);
  open.set_client_id(options_.client_id);
  open.set_max_batch(options_.consume.max_batch);
  open.mutable_credit()->set_messages(asked_);
  open.mutable_credit()->set_bytes(options_.consume.credit.bytes);
  open.set_confirm_settlements(options_.consume.confirm);
  open.set_resumable(options_.consume.resumable);
  ledger_.NameHeld(ending_.StillKept(system_clock::now(), SteadyClock::now()), open);
  return request;
}

void Session::Serve(Stream& stream, Lock& lock) {
  while (true) {
    const auto until = std::min({ending_.give_up(), hand_back_at_, write_at_, tell_stats_at_});
    if (!done_ && !notice_ && !ending_.due()) changed_.wait_until(lock, until);
    if (done_) return;
    if (notice_) {
      HandleNotice(stream, lock);
    } else if (ending_.due()) {
      FollowWish(lock);
    } else if (SteadyClock::now() >= ending_.give_up()) {
      ending_.OnCancelled(SteadyClock::now());
      stream.Cancel();
    } else {
      DoChores(lock);
    }
  }
}

void Session::HandleNotice(Stream& stream, Lock& lock) {
  std::unique_ptr<v1::ConsumeResponse> notice = std::move(notice_);
  lock.unlock();
  Handle(*notice);
  notice.reset();
  stream.Read();
  lock.lock();
}

// Tells the daemon what the app wants now.
void Session::FollowWish(Lock& lock) {
  switch (ending_.Tell(SteadyClock::now())) {
    case Ending::Step::kHalfClose:
      outbox_.Finish();
      break;
    case Ending::Step::kDrain: {
      v1::ConsumeRequest request;
      request.mutable_drain();
      if (ending_.timeout()) {
        *request.mutable_drain()->mutable_timeout() = TimeUtil::MillisecondsToDuration(ending_.timeout()->count());
      }
      outbox_.Add(std::move(request));
      // Only now: before the drain it would be given to this app again.
      if (HandsBack()) Tell(ledger_.HandBack());
      break;
    }
    case Ending::Step::kNothing:
      break;
  }
  Write(lock);
  lock.lock();
}

void Session::DoChores(Lock& lock) {
  const auto now = SteadyClock::now();
  if (now >= hand_back_at_) {
    hand_back_at_ = now + Ending::kForever;
    Tell(ledger_.HandBack());
    Write(lock);
    lock.lock();
  }
  if (now >= write_at_) {
    // While handlers are at work this looks again by itself: none of them has to wake it.
    write_is_near_ = outbox_.back_ids() > 0 || now - wrote_at_ < kWriteEvery;
    write_at_ = now + (write_is_near_ ? kWriteEvery : Ending::kForever);
    Write(lock);
    lock.lock();
  }
  if (now >= tell_stats_at_) {
    tell_stats_at_ = now + kTellStats;
    TellStats(lock);
  }
}

void Session::TellStats(Lock& lock) {
  const Stats stats = ledger_.stats();
  if (std::exchange(told_stats_, stats) == stats) return;
  lock.unlock();
  hooks_.TellStats(stats);
  lock.lock();
}

// False: there is to be no other stream.
bool Session::AwaitRetry(const grpc::Status& end) {
  Lock lock(mutex_);
  if (ending_.IsLast(end, SteadyClock::now())) return false;
  const Ending::Wish wish = ending_.wish();
  lock.unlock();
  TellState(State::kConnecting, end.ok() ? "the stream has ended" : end.error_message());
  lock.lock();
  if (ending_.was_open()) backoff_.Restart();
  if (ending_.lived()) backoff_.Reset();
  const auto at = ending_.RetryAt(backoff_.Next(), SteadyClock::now());
  changed_.wait_until(lock, at, [&] { return ending_.wish() != wish; });
  return !ending_.IsLast(end, SteadyClock::now());
}

void Session::Close(const grpc::Status& end) {
  grpc::Status result;
  Confirmations::Dues due;
  {
    Lock lock(mutex_);
    ledger_.Close();
    confirmations_.Close(due);
    if (ending_.wish() == Ending::Wish::kServe) result = end;
    if (hooks_.wants_stats()) TellStats(lock);
    Announce(lock);
  }
  TellOutcomes(due);
  inbox_.Close();
  if (!result.ok()) hooks_.TellError(result.error_code(), result.error_message());
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

void Session::TellState(State state, const std::string& detail) {
  {
    std::lock_guard lock(mutex_);
    state_ = state;
  }
  hooks_.TellState(state, detail);
}

void Session::Tell(const std::vector<Settlement>& settlements) {
  for (const Settlement& settlement : settlements) outbox_.AddVerdict(settlement.id, settlement.verdict);
}

void Session::Write(Lock& lock) {
  Stream* const stream = stream_;  // lives while a write is in flight
  const Outbox::Step step = outbox_.Next();
  if (step == Outbox::Step::kWrite) wrote_at_ = SteadyClock::now();
  lock.unlock();
  if (step != Outbox::Step::kNothing) stream->Perform(step, outbox_.request());
}

// A request for each verdict of a quick handler would cost more than all else that is done for it.
void Session::WriteSoon(Lock& lock) {
  const bool enough = static_cast<uint32_t>(outbox_.back_ids()) * kPartOfCredit >= asked_;
  if (enough) return Write(lock);
  if (write_is_near_) return lock.unlock();  // for most verdicts: they do not even ask for the time
  if (SteadyClock::now() - wrote_at_ >= kWriteEvery) return Write(lock);
  write_is_near_ = true;
  write_at_ = wrote_at_ + kWriteEvery;
  lock.unlock();
  changed_.notify_all();
}

void Session::Announce(Lock& lock) {
  std::vector<std::stop_source> stopped = ledger_.TakeStopped();
  lock.unlock();
  for (std::stop_source& stop : stopped) stop.request_stop();  // runs what the app has attached to it
}

void Session::TellOutcomes(const Confirmations::Dues& due) {
  for (const auto& [waiter, outcome] : due) {
    hooks_.Call("what awaits an outcome", waiter.told, outcome);
    hooks_.TellOutcome(waiter.stream_sequence, outcome);
  }
}

// ---------------------------------------------------------------------------------------------------------------
// The poller's thread

void Session::OnDeliveries(std::shared_ptr<Frame> frame) {
  {
    Lock lock(mutex_);
    if (!ledger_.connected()) return;  // before `Opened`: not this contract
    const uint64_t held = keyed_ ? 0 : ledger_.stats().in_flight;
    Tell(ledger_.Accept(*frame));
    if (HandsBack()) Tell(ledger_.HandBack());  // it was on its way when the drain began
    AdjustCredit(held);
    Write(lock);
  }
  if (options_.in_lanes) AssignLanes(frame);
  inbox_.Push(std::move(frame));
}

void Session::AssignLanes(const std::shared_ptr<Frame>& frame) {
  for (size_t i = 0; i < frame->held.size(); ++i) {
    frame->held[i].lane = LaneOf(frame, i);
    frame->laned |= frame->held[i].lane != 0;
  }
  keyed_ |= frame->laned;
}

uint64_t Session::LaneOf(const std::shared_ptr<Frame>& frame, size_t index) {
  const Key& key = options_.consume.key;
  Held& held = frame->held[index];
  if (!key) return Key::LaneOf(held.delivery->key);
  std::string thrown;
  try {
    return key(*View(frame, index));
  } catch (const std::exception& e) {
    thrown = e.what();
  } catch (...) {
    thrown = "not a std::exception";
  }
  if (held.Drop()) Settle(held, Nak());
  OnThrown("the key function threw: " + thrown);
  return 0;
}

void Session::AdjustCredit(uint64_t held) {
  if (options_.style == Style::kFetched) {
    if (wanted_ == 0) KeepForNextFetch();
    return;
  }
  const Stats& stats = ledger_.stats();
  const auto changed = credit_.Update(SteadyClock::now(), stats.acked + stats.naked + stats.terminated, held);
  if (changed && ending_.wish() == Ending::Wish::kServe) SendCredit();
}

void Session::KeepForNextFetch() {
  hand_back_at_ = std::min(hand_back_at_, SteadyClock::now() + kKeepForNextFetch);
  changed_.notify_all();
}

bool Session::HandsBack() const {
  const bool nobody_takes = options_.style == Style::kFetched || (options_.style == Style::kLooped && loops_ == 0);
  return ending_.drain_is_told() && (options_.consume.hand_back || nobody_takes);
}

// How much to ask for now, in messages.
uint32_t Session::Wanted() const {
  if (ending_.wish() != Ending::Wish::kServe) return 0;
  if (options_.style != Style::kFetched) return credit_.messages();
  if (wanted_ == 0) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(ledger_.stats().in_flight + wanted_, credit_.most()));
}

void Session::SendCredit() {
  asked_ = Wanted();
  v1::ConsumeRequest request;
  request.mutable_credit()->set_messages(asked_);
  request.mutable_credit()->set_bytes(options_.consume.credit.bytes);
  outbox_.Add(std::move(request));
}

void Session::OnNotice(std::unique_ptr<v1::ConsumeResponse> notice) {
  std::lock_guard lock(mutex_);
  notice_ = std::move(notice);
  changed_.notify_all();
}

void Session::OnReadsOver() {
  Lock lock(mutex_);
  inbox_.Pause();
  ending_.OnEnded(SteadyClock::now());
  ledger_.OnStreamEnded();
  outbox_.Close();
  reads_over_ = true;
  Stream* const stream = stream_;
  const bool release = !outbox_.in_flight() && !std::exchange(released_, true);
  lock.unlock();
  if (release) stream->Release();
}

void Session::OnWritten(bool ok) {
  Lock lock(mutex_);
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

}  // namespace sluice::internal
