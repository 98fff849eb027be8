#include "test/support/fake_message_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::test {
namespace {

// What a message's views point into.
struct Owned {
  FakeMessageSource::Content content;
  std::string reply;
};

core::Message MakeMessage(FakeMessageSource::Content content, uint64_t sequence) {
  auto owned = std::make_unique<Owned>(Owned{std::move(content), absl::StrCat(sequence)});
  core::Message message;
  message.subject = owned->content.subject;
  message.reply = owned->reply;
  for (const auto& [name, value] : owned->content.headers) message.headers.push_back({name, value});
  message.data = owned->content.data;
  message.stream_sequence = sequence;
  message.consumer_sequence = sequence;
  message.num_delivered = 1;
  message.timestamp_ns = 1'700'000'000'000'000'000 + static_cast<int64_t>(sequence);
  message.owner = {owned.release(), [](void* owner) { delete static_cast<Owned*>(owner); }};
  return message;
}

}  // namespace

FakeMessageSource::FakeMessageSource(base::Timers* timers) : timers_(timers), expires_(timers), heartbeat_(timers) {}

void FakeMessageSource::Publish(Content content) {
  waiting_.push_back(MakeMessage(std::move(content), ++last_sequence_));
  Soon([this] { Deliver(); });
}

void FakeMessageSource::Start(Listener* listener) {
  listener_ = listener;
  Soon([this] { listener_->OnConnection(true); });
}

void FakeMessageSource::Attach() {
  Soon([this] { listener_->OnAttached(info_); });
}

void FakeMessageSource::Pull(const core::PullRequest& request) {
  pull_ = request;
  expires_.SetAfter(request.expires, [this] { EndPull(); });
  ArmHeartbeat();
  Soon([this] { Deliver(); });
}

void FakeMessageSource::Settle(absl::string_view reply, const core::Settlement& settlement) {
  uint64_t sequence = 0;
  static_cast<void>(absl::SimpleAtoi(reply, &sequence));
  verdicts_.push_back({sequence, settlement.verdict, settlement.nak_delay, std::string(settlement.term_reason)});
}

void FakeMessageSource::Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) {
  Settle(reply, settlement);
  Fence(reply, tag);
}

void FakeMessageSource::Fence(absl::string_view, uint64_t tag) {
  Soon([this, tag] { listener_->OnConfirmed(tag, absl::OkStatus()); });
}

void FakeMessageSource::RequestInfo() {
  Soon([this] { listener_->OnInfo(info_); });
}

// It pins whoever pulls.
void FakeMessageSource::RenewPin(absl::string_view, uint64_t id) {
  Soon([this, id] { listener_->OnPullStatus({core::PullStatus::Kind::kExpired, id, 1, "408 Request Timeout"}); });
}

void FakeMessageSource::Unpin() {
  Soon([this] { listener_->OnUnpinned(absl::OkStatus()); });
}

void FakeMessageSource::CloseIntake() {
  Soon([this] { listener_->OnIntakeClosed(); });
}

void FakeMessageSource::Soon(absl::AnyInvocable<void()> action) {
  timers_->After(absl::ZeroDuration(), [alive = std::weak_ptr<bool>(alive_), action = std::move(action)]() mutable {
    if (!alive.expired()) action();
  });
}

void FakeMessageSource::Deliver() {
  const size_t count = std::min<size_t>(pull_.batch, waiting_.size());
  if (count == 0) return;
  std::vector<core::Message> batch(std::make_move_iterator(waiting_.begin()),
                                   std::make_move_iterator(waiting_.begin() + static_cast<ptrdiff_t>(count)));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
  pull_.batch -= static_cast<uint32_t>(count);
  if (pull_.batch == 0) {
    expires_.Cancel();
    heartbeat_.Cancel();
  }
  listener_->OnMessages(absl::MakeSpan(batch));
}

void FakeMessageSource::EndPull() {
  const uint64_t unsent = std::exchange(pull_.batch, 0);
  heartbeat_.Cancel();
  listener_->OnPullStatus({core::PullStatus::Kind::kExpired, pull_.id, unsent, "408 Request Timeout"});
}

void FakeMessageSource::ArmHeartbeat() {
  if (pull_.heartbeat <= absl::ZeroDuration()) return;
  heartbeat_.SetAfter(pull_.heartbeat, [this] {
    ArmHeartbeat();
    listener_->OnPullStatus({core::PullStatus::Kind::kHeartbeat, pull_.id, std::nullopt, "100 Idle Heartbeat"});
  });
}

}  // namespace sluice::test
