#include "test/bench/stub_source.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::bench {
namespace {

constexpr int64_t kTimestamp = 1'700'000'000'000'000'000;

}  // namespace

StubConnection::StubConnection() : thread_([this] { Run(); }) {}

StubConnection::~StubConnection() { Stop(); }

void StubConnection::Ask(StubSource* source, uint64_t messages) {
  absl::MutexLock lock(&mutex_);
  pulled_.push_back({source, messages});
}

void StubConnection::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void StubConnection::Run() {
  std::vector<Pulled> pulled;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &StubConnection::HasWork));
      if (stopping_) return;
      pulled.swap(pulled_);
    }
    for (const Pulled& one : pulled) one.source->Produce(one.messages);
    pulled.clear();
  }
}

StubSource::StubSource(base::EventLoop* loop, StubConnection* connection, const core::ConsumerOptions& consumer,
                       size_t payload_bytes, absl::Duration ack_wait)
    : loop_(loop),
      connection_(connection),
      payload_bytes_(payload_bytes),
      ack_wait_(ack_wait),
      reply_(absl::StrCat("$JS.ACK.", consumer.stream, ".", consumer.durable, ".1.", kFirst, ".", kFirst, ".",
                          kTimestamp, ".0")) {
  stream_digits_ = reply_.data() + reply_.find(absl::StrCat(kFirst));
  consumer_digits_ = stream_digits_ + kDigits + 1;
  numbers_at_ = static_cast<uint16_t>(stream_digits_ - reply_.data() - 2);
}

core::ConsumerInfo StubSource::Info() const {
  core::ConsumerInfo info;
  info.ack_wait = ack_wait_;
  return info;
}

void StubSource::Start(Listener* listener) {
  listener_ = listener;
  loop_->Post([this] { listener_->OnConnection(true); });
}

void StubSource::Attach() {
  loop_->Post([this] { listener_->OnAttached(Info()); });
}

void StubSource::Pull(const core::PullRequest& request) { connection_->Ask(this, request.batch); }

void StubSource::Confirm(absl::string_view reply, const core::Settlement&, uint64_t tag) { Fence(reply, tag); }

void StubSource::Fence(absl::string_view, uint64_t tag) {
  loop_->Post([this, tag] { listener_->OnConfirmed(tag, absl::OkStatus()); });
}

void StubSource::RequestInfo() {
  loop_->Post([this] { listener_->OnInfo(Info()); });
}

void StubSource::RenewPin(absl::string_view, uint64_t id) {
  loop_->Post([this, id] {
    listener_->OnPullStatus({core::PullStatus::Kind::kExpired, id, 1, "408 Request Timeout"});
  });
}

void StubSource::Unpin() {
  loop_->Post([this] { listener_->OnUnpinned(absl::OkStatus()); });
}

void StubSource::CloseIntake() {
  loop_->Post([this] { listener_->OnIntakeClosed(); });
}

void StubSource::Produce(uint64_t messages) {
  for (uint64_t i = 0; i < messages; ++i) {
    if (mailbox_.Push(Next())) loop_->Post([this] { Hand(); });
  }
}

core::Message StubSource::Next() {
  ++sequence_;
  for (char* digit = stream_digits_ + kDigits - 1; ++*digit > '9'; --digit) *digit = '0';
  std::memcpy(consumer_digits_, stream_digits_, kDigits);
  core::Message message;
  char* block = static_cast<char*>(std::malloc(payload_bytes_ + reply_.size() + 1));
  std::memset(block, 'x', payload_bytes_);
  std::memcpy(block + payload_bytes_, reply_.c_str(), reply_.size() + 1);
  message.subject = "bench.subject";
  message.data = absl::string_view(block, payload_bytes_);
  message.reply = absl::string_view(block + payload_bytes_, reply_.size());
  message.stream_sequence = message.consumer_sequence = sequence_;
  message.num_delivered = 1;
  message.timestamp_ns = kTimestamp;
  message.numbers_at = numbers_at_;
  message.owner = {block, [](void* owner) { std::free(owner); }};
  return message;
}

void StubSource::Hand() {
  mailbox_.Take(batch_);
  listener_->OnMessages(absl::MakeSpan(batch_));
}

}  // namespace sluice::bench
