// What the app asks of a session; any thread.
#include <algorithm>
#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {

using std::chrono::milliseconds;
using std::chrono::system_clock;

bool Session::Settle(Held& held, const Verdict& verdict, std::function<void(Outcome)> told) {
  Confirmations::Dues due;
  Lock lock(mutex_);
  if (held.settled) return false;
  const bool awaited = static_cast<bool>(told);
  SettleOne(held, verdict, std::move(told), due);
  if (options_.style == Style::kHandled && !awaited) {
    WriteSoon(lock);
  } else {
    Write(lock);
  }
  LeaveLane(held);
  TellOutcomes(due);
  return true;
}

void Session::SettleAll(std::span<Message> messages, const Verdict& verdict) {
  Confirmations::Dues due;
  std::vector<Held*> settled;
  Lock lock(mutex_);
  for (const Message& message : messages) {
    if (!message.frame_ || message.held().settled) continue;
    SettleOne(message.held(), verdict, {}, due);
    if (message.held().lane != 0) settled.push_back(&message.held());
  }
  Write(lock);
  for (Held* held : settled) LeaveLane(*held);
  TellOutcomes(due);
}

void Session::Flush() {
  Lock lock(mutex_);
  Write(lock);
}

// With the mutex.
void Session::SettleOne(Held& held, const Verdict& verdict, std::function<void(Outcome)> told,
                        Confirmations::Dues& due) {
  const bool answered = ledger_.current(held);  // on this stream, or on one that resumes it
  if (const auto id = ledger_.Settle(held, verdict)) outbox_.AddVerdict(*id, verdict);
  if (!options_.consume.confirm || (!told && !hooks_.wants_outcomes())) return;
  Confirmations::Waiter waiter{held.delivery->stream_sequence, std::move(told)};
  if (answered) {
    confirmations_.Expect(held.id, std::move(waiter), due);
  } else {
    due.push_back({std::move(waiter), Outcome::kNotHeld});
  }
}

void Session::LeaveLane(Held& held) {
  if (held.lane != 0 && held.lane_holds.fetch_sub(1) == 1) inbox_.Leave(held.lane);
}

void Session::InProgress(Held& held) {
  Lock lock(mutex_);
  if (held.settled) return;
  held.leased = system_clock::now();
  if (!ledger_.knows(held) || held.progress_in > outbox_.taken()) return;  // not now, or still queued
  held.progress_in = outbox_.AddInProgress(held.id);
  if (options_.consume.confirm) confirmations_.ExpectProgress(held.id);
  Write(lock);
}

std::stop_token Session::StopToken(Held& held) {
  Lock lock(mutex_);
  if (!held.stop.stop_possible()) held.stop = std::stop_source();
  std::stop_source stop = held.stop;
  const bool cancelled = held.cancelled;
  lock.unlock();
  if (cancelled) stop.request_stop();  // runs what the app has attached to it
  return stop.get_token();
}

system_clock::time_point Session::Deadline(const Held& held) const {
  std::lock_guard lock(mutex_);
  const auto lease = max_lease_.count() > 0 ? held.leased + max_lease_ : system_clock::time_point::max();
  return std::min(lease, ending_.deadline().value_or(system_clock::time_point::max()));
}

void Session::Want(int64_t more) {
  Lock lock(mutex_);
  wanted_ += more;
  if (wanted_ > 0) {
    hand_back_at_ = SteadyClock::now() + Ending::kForever;
  } else {
    KeepForNextFetch();
  }
  if (!ledger_.connected() || Wanted() == asked_) return;  // the next Open says it
  SendCredit();
  Write(lock);
}

void Session::OnLoop(int more) {
  std::lock_guard lock(mutex_);
  loops_ += more;
  if (loops_ > 0 || ending_.wish() != Ending::Wish::kDrain) return;
  hand_back_at_ = SteadyClock::now();
  changed_.notify_all();
}

void Session::StartDrain(std::optional<milliseconds> timeout) {
  std::lock_guard lock(mutex_);
  ending_.Drain(timeout);
  if (options_.style == Style::kFetched) inbox_.Finish();
  changed_.notify_all();
}

void Session::StartStop() {
  std::lock_guard lock(mutex_);
  inbox_.Pause();
  if (options_.style == Style::kFetched) inbox_.Finish();
  ending_.Stop();
  changed_.notify_all();
}

grpc::Status Session::WaitClosed() const {
  Lock lock(mutex_);
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
  return ending_.report();
}

State Session::state() const {
  std::lock_guard lock(mutex_);
  return state_;
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
  hooks_.TellError(grpc::StatusCode::INTERNAL, what);
}

void Session::Forget(Frame& frame) {
  std::lock_guard lock(mutex_);
  ledger_.Forget(frame);
}

}  // namespace sluice::internal
