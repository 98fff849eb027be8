#include "core/session.h"

#include <algorithm>
#include <utility>

#include "core/consumer.h"

namespace sluice::core {
namespace {

std::vector<Delivery*> Ascending(const DeliveryList& list) {
  std::vector<Delivery*> deliveries;
  for (Delivery* delivery = list.front(); delivery != nullptr; delivery = list.next(delivery)) {
    deliveries.push_back(delivery);
  }
  std::sort(deliveries.begin(), deliveries.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  return deliveries;
}

}  // namespace

Session::Session(Consumer* consumer, base::Timers* timers, uint64_t number, const OpenRequest& request,
                 AppStream* stream)
    : consumer_(consumer),
      timers_(timers),
      number_(number),
      client_id_(request.client_id),
      max_batch_(request.max_batch),
      confirms_(request.confirm_settlements),
      unary_(request.unary),
      wanted_until_(request.wanted_until),
      resumable_(request.resumable),
      stream_(stream),
      credit_(request.credit),
      timer_(timers) {
  UpdateEligible();
}

// --- what the app says ---

void Session::OnSettle(absl::Span<const SettleRun> runs) {
  std::vector<uint64_t> late;
  std::vector<uint64_t> not_held;
  std::vector<uint64_t> in_progress;  // the lease is the daemon's to extend: nothing to wait for
  for (const SettleRun& run : runs) {
    for (uint64_t id : run.ids) {
      Delivery* delivery = consumer_->Find(id);
      const bool held = delivery != nullptr && delivery->session == this &&
                        (delivery->state == Delivery::State::kHeld || delivery->state == Delivery::State::kExpired);
      if (!held) {
        not_held.push_back(id);
      } else if (!consumer_->Settle(delivery, run.settlement)) {
        late.push_back(id);
      } else if (confirms_ && run.settlement.verdict == Verdict::kInProgress) {
        in_progress.push_back(id);
      }
    }
  }
  consumer_->CountNotHeld(not_held.size());
  SettleResultsNotice notice;
  if (!late.empty()) notice.results.push_back({SettleOutcome::kLate, std::move(late), kAckWaitOver});
  if (!not_held.empty()) {
    notice.results.push_back({SettleOutcome::kNotHeld, std::move(not_held), "not held by this stream"});
  }
  if (!in_progress.empty()) notice.results.push_back({SettleOutcome::kConfirmed, std::move(in_progress), ""});
  if (!notice.results.empty()) Tell(std::move(notice));
  CheckDrained();
  consumer_->Pump();
}

void Session::OnCredit(Credit credit) {
  credit_ = credit;
  // What waits for the next frame may be too much now.
  if (outstanding_messages_ > credit.messages || outstanding_bytes_ > credit.bytes) consumer_->TakeBack(Queued());
  UpdateEligible();
  consumer_->Pump();
}

void Session::OnDrain(std::optional<absl::Duration> timeout) {
  if (draining_) return;
  consumer_->Admit(number_);
  draining_ = true;
  phase_entered_ = timers_->now();
  for (const Delivery* delivery : Held()) drain_report_.awaited += delivery->state == Delivery::State::kHeld;
  const absl::Time deadline = timers_->now() + timeout.value_or(consumer_->options().drain_timeout);
  Tell(DrainingNotice{DrainReason::kApp, deadline});
  UpdateEligible();
  consumer_->TakeBack(Queued());
  timer_.SetAt(deadline, [this] {
    drain_report_.deadline_exceeded = true;
    consumer_->HandBack(this);
    CheckDrained();
    consumer_->Pump();
  });
  CheckDrained();
  consumer_->Pump();
}

void Session::OnHalfClosed() { consumer_->OnStreamHalfClosed(this); }

void Session::OnBroken() {
  stream_ = nullptr;
  UpdateEligible();
  consumer_->OnStreamBroken(this);
}

void Session::OnWritable() {
  Flush();
  UpdateEligible();
  consumer_->Pump();
}

// --- credit ---

uint64_t Session::free_messages() const {
  const uint64_t by_credit = credit_.messages - std::min<uint64_t>(credit_.messages, outstanding_messages_);
  const uint64_t by_frame = max_batch_ - std::min<uint64_t>(max_batch_, queued_);
  return std::min(by_credit, by_frame);
}

uint64_t Session::free_bytes() const { return credit_.bytes - std::min(credit_.bytes, outstanding_bytes_); }

void Session::UpdateEligible() {
  const bool eligible =
      attached() && opened_ && !draining_ && !consumer_->draining() && free_messages() > 0 && free_bytes() > 0;
  consumer_->SetEligible(this, eligible);
}

// --- deliveries ---

void Session::Enqueue(Delivery* delivery) {
  delivery->state = Delivery::State::kQueued;
  delivery->session = this;
  queue_.PushBack(delivery);
  ++queued_;
  ++outstanding_messages_;
  outstanding_bytes_ += delivery->bytes;
  UpdateEligible();
}

void Session::Adopt(Delivery* delivery) {
  delivery->session = this;
  held_.PushBack(delivery);
  ++outstanding_messages_;
  outstanding_bytes_ += delivery->bytes;
  UpdateEligible();
}

void Session::Flush() {
  if (stream_ == nullptr || queue_.empty() || !stream_->writable() || !consumer_->MayHandOut()) return;
  frame_.clear();
  size_t bytes = 0;
  while (Delivery* delivery = queue_.front()) {
    bytes += delivery->bytes;
    if (!frame_.empty() && (frame_.size() == max_batch_ || bytes > OpenRequest::kMaxFrameBytes)) break;
    queue_.Remove(delivery);
    delivery->state = Delivery::State::kHeld;
    delivery->given = timers_->now();
    if (consumer_->draining()) consumer_->Await(delivery);
    delivery->token = resumable_ ? consumer_->SealForFrame(*delivery, frame_.size()) : absl::string_view();
    held_.PushBack(delivery);
    frame_.push_back(delivery);
  }
  queued_ -= frame_.size();
  consumer_->OnGiven(frame_.size());
  stream_->Deliver(frame_);
  UpdateEligible();
}

void Session::Drop(Delivery* delivery) {
  DeliveryList::Remove(delivery);
  queued_ -= delivery->state == Delivery::State::kQueued;
  --outstanding_messages_;
  outstanding_bytes_ -= delivery->bytes;
  delivery->session = nullptr;
  UpdateEligible();
}

std::vector<Delivery*> Session::Queued() const { return Ascending(queue_); }

std::vector<Delivery*> Session::Held() const { return Ascending(held_); }

// --- the stream ---

void Session::SetOpened() {
  opened_ = true;
  UpdateEligible();
}

void Session::Tell(Notice notice) {
  if (stream_ == nullptr) return;
  if (!opened_) {
    before_opened_.push_back(std::move(notice));
    return;
  }
  stream_->Tell(std::move(notice));
  // Only the first notice finds any.
  for (Notice& kept : std::exchange(before_opened_, {})) stream_->Tell(std::move(kept));
}

void Session::FinishStream(absl::Status status) {
  if (stream_ != nullptr) stream_->Finish(std::move(status));
  stream_ = nullptr;
  UpdateEligible();
}

void Session::Detach(absl::Duration window) {
  timer_.SetAfter(window, [this] { consumer_->OnResumeWindowOver(this); });
}

// --- the app's own drain ---

void Session::CheckDrained() {
  if (!draining_ || confirming_ || !attached() || consumer_->draining()) return;
  for (Delivery* delivery = held_.front(); delivery != nullptr; delivery = held_.next(delivery)) {
    if (delivery->state == Delivery::State::kHeld) return;
  }
  ConfirmDrain();
}

void Session::ConfirmDrain() {
  confirming_ = true;
  timer_.Cancel();
  const absl::Time now = timers_->now();
  drain_report_.phases[static_cast<int>(DrainPhase::kSettling)] = now - phase_entered_;
  phase_entered_ = now;
  consumer_->ConfirmSession(number_);
}

}  // namespace sluice::core
