#include "jetstream/source.h"
#include "jetstream/ack_subject.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "jetstream/header_block.h"
#include "jetstream/nats_message.h"
#include "jetstream/pinned_client.h"
#include "jetstream/pull_status.h"

namespace sluice::jetstream {
namespace {

constexpr absl::Duration kConfirmTimeout = absl::Seconds(2);
// What a busy server or network may add to a pull's `expires`.
constexpr absl::Duration kPullSlack = absl::Seconds(2);
constexpr absl::Duration kUnpinTimeout = absl::Seconds(2);
// For the server's word that it sends nothing more. The open pull has ended by then, so that it has nothing to send.
constexpr absl::Duration kDrainTimeout = absl::Seconds(5);
// While there is no server to ask: only what cnats has received is to be handed over, which takes no time.
constexpr absl::Duration kDrainTimeoutWhenDown = absl::Milliseconds(500);

}  // namespace

// What cnats's thread has received.
class JetStreamSource::Intake final : public Inbox::Sink {
 public:
  explicit Intake(std::shared_ptr<LoopGate<JetStreamSource>> gate) : gate_(std::move(gate)) {}

  void OnMessage(NatsPtr<natsMsg> msg) override {
    core::Message message = ToMessage(std::move(msg));
    if (message.owner == nullptr) return;  // somebody else's, sent to our inbox
    if (arrivals.Push(std::move(message))) gate_->Post([](JetStreamSource* source) { source->OnArrivals(); });
  }
  void OnEnd() override {
    gate_->Post([](JetStreamSource* source) { source->OnInboxEnd(); });
  }

  // In the order of arrival. A status is a message without `reply`, see ToMessage().
  base::Mailbox<core::Message> arrivals;

 private:
  const std::shared_ptr<LoopGate<JetStreamSource>> gate_;
};

JetStreamSource::JetStreamSource(Connection* connection, base::EventLoop* loop, Options options)
    : connection_(connection),
      timers_(&loop->timers()),
      stream_(options.stream),
      consumer_(options.durable),
      pull_subject_(absl::StrCat(connection->api_prefix(), ".CONSUMER.MSG.NEXT.", stream_, ".", consumer_)),
      priority_group_(std::move(options.priority_group)),
      gate_(std::make_shared<LoopGate<JetStreamSource>>(loop, this)),
      intake_(std::make_shared<Intake>(gate_)),
      durable_(connection, this, &loop->timers(), options.stream, options.durable, options.manage,
               std::move(options.config)),
      retire_(timers_) {}

JetStreamSource::~JetStreamSource() {
  gate_->Close();
  connection_->RemoveListener(this);
  connection_->RunBlocking([inbox = std::move(inbox_), old = std::move(old_inboxes_)]() mutable {
    inbox.reset();
    old.clear();
  });
}

void JetStreamSource::Start(core::MessageSource::Listener* listener) {
  listener_ = listener;
  connection_->AddListener(this);
}

void JetStreamSource::OnConnection(bool connected) {
  // cnats subscribes again by itself when it reconnects, but not when it was replaced.
  if (connected && inbox_ != nullptr && !closing_) {
    if (absl::Status status = Subscribe(); !status.ok()) {
      base::LogWarning("cannot subscribe", {{"stream", stream_}, {"consumer", consumer_}, {"err", status.message()}});
    }
  }
  listener_->OnConnection(connected);
}

// The open pull goes on where it was opened; the next one uses the new connection.
void JetStreamSource::OnReplaced() {
  if (inbox_ == nullptr || closing_) return;
  std::shared_ptr<Inbox> old = inbox_;
  if (absl::Status status = Subscribe(); !status.ok()) {
    base::LogWarning("cannot subscribe", {{"stream", stream_}, {"consumer", consumer_}, {"err", status.message()}});
    return;
  }
  old_inboxes_.push_back(std::move(old));
  retire_.SetAt(std::max(pull_over_, timers_->now()), [this] { RetireInboxes(); });
}

// Kept until each has ended, as its end would cut short what is on its way.
void JetStreamSource::RetireInboxes() {
  retire_.Cancel();
  for (const std::shared_ptr<Inbox>& inbox : old_inboxes_) {
    connection_->RunBlocking([inbox] { inbox->Drain(kDrainTimeout); });
  }
}

absl::Status JetStreamSource::Subscribe() {
  if (inbox_ != nullptr && inbox_generation_ == connection_->generation()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Inbox>> inbox = connection_->OpenInbox(intake_, absl::StrCat(stream_, ".", consumer_));
  if (!inbox.ok()) return inbox.status();
  ++open_inboxes_;
  inbox_ = *std::move(inbox);
  inbox_generation_ = connection_->generation();
  return absl::OkStatus();
}

void JetStreamSource::Attach() {
  if (absl::Status status = Subscribe(); !status.ok()) {
    gate_->Post([status](JetStreamSource* source) { source->listener_->OnAttached(status); });
    return;
  }
  durable_.Attach([this](const absl::StatusOr<core::ConsumerInfo>& info) { listener_->OnAttached(Noted(info)); });
}

void JetStreamSource::RequestInfo() {
  durable_.Info([this](const absl::StatusOr<core::ConsumerInfo>& info) { listener_->OnInfo(Noted(info)); });
}

const absl::StatusOr<core::ConsumerInfo>& JetStreamSource::Noted(const absl::StatusOr<core::ConsumerInfo>& info) {
  if (info.ok()) term_reason_ = info->term_reason;
  return info;
}

// --- messages ---

void JetStreamSource::Pull(const core::PullRequest& request) { SendPull(request); }

// The server looks for the pin first, and at what has expired before it sends anything.
void JetStreamSource::RenewPin(absl::string_view pin_id, uint64_t id) {
  SendPull({id, 1, 0, absl::Nanoseconds(1), absl::ZeroDuration(), std::string(pin_id)});
}

void JetStreamSource::SendPull(const core::PullRequest& request) {
  if (inbox_ == nullptr || closing_) return;
  pull_over_ = std::max(pull_over_, timers_->now() + request.expires + kPullSlack);
  std::string json =
      absl::StrCat("{\"batch\":", request.batch, ",\"expires\":", absl::ToInt64Nanoseconds(request.expires));
  if (request.max_bytes > 0) absl::StrAppend(&json, ",\"max_bytes\":", request.max_bytes);
  if (request.heartbeat > absl::ZeroDuration()) {
    absl::StrAppend(&json, ",\"idle_heartbeat\":", absl::ToInt64Nanoseconds(request.heartbeat));
  }
  if (!priority_group_.empty()) absl::StrAppend(&json, ",\"group\":\"", priority_group_, "\"");
  if (!request.pin_id.empty()) absl::StrAppend(&json, ",\"id\":\"", request.pin_id, "\"");
  json += '}';
  const std::string reply = absl::StrCat(inbox_->prefix(), request.id);
  // A failure is the connection's, which tells of it; the pull ends with that.
  connection_->PublishRequest(pull_subject_.c_str(), reply.c_str(), json).IgnoreError();
  connection_->Flush();
}

void JetStreamSource::OnArrivals() {
  intake_->arrivals.Take(batch_);
  if (!priority_group_.empty()) {
    for (core::Message& message : batch_) TakePinId(message);
  }
  size_t begin = 0;
  for (size_t i = 0; i < batch_.size(); ++i) {
    if (!batch_[i].reply.empty()) continue;
    if (i > begin) listener_->OnMessages(absl::MakeSpan(&batch_[begin], i - begin));
    OnStatusMessage(batch_[i]);
    begin = i + 1;
  }
  if (begin < batch_.size()) listener_->OnMessages(absl::MakeSpan(&batch_[begin], batch_.size() - begin));
  batch_.clear();
}

void JetStreamSource::OnStatusMessage(const core::Message& message) {
  const auto status = ParsePullStatus(message.data, PullIdOf(message.subject));
  if (status) listener_->OnPullStatus(*status);
}

// --- settlements ---

absl::string_view JetStreamSource::Payload(const core::Settlement& settlement) {
  switch (settlement.verdict) {
    case core::Verdict::kAck:
      return "+ACK";
    case core::Verdict::kInProgress:
      return "+WPI";
    case core::Verdict::kNak:
      if (settlement.nak_delay <= absl::ZeroDuration()) return "-NAK";
      payload_.assign("-NAK {\"delay\":");
      absl::StrAppend(&payload_, absl::ToInt64Nanoseconds(settlement.nak_delay), "}");
      return payload_;
    case core::Verdict::kTerm:
      // A server that does not know reasons ignores the whole verdict.
      if (settlement.term_reason.empty() || !term_reason_ || connection_->refuses_term_reason()) return "+TERM";
      payload_.assign("+TERM ");
      absl::StrAppend(&payload_, settlement.term_reason);
      return payload_;
  }
  return "";
}

// The subject of the verdict, followed by a NUL.
absl::string_view JetStreamSource::Subject(absl::string_view reply, const core::Settlement& settlement) {
  if (settlement.as_consumer_sequence == 0) return reply;
  return subject_ = AckSubjectAs(reply, settlement.as_consumer_sequence);
}

void JetStreamSource::Settle(absl::string_view reply, const core::Settlement& settlement) {
  // A failure is the connection's: the server has not heard, and delivers the message again.
  connection_->Publish(Subject(reply, settlement).data(), Payload(settlement)).IgnoreError();
}

void JetStreamSource::Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) {
  connection_->Request(
      this, Subject(reply, settlement).data(), Payload(settlement), kConfirmTimeout,
      [this, tag](const absl::StatusOr<absl::string_view>& answer) { listener_->OnConfirmed(tag, answer.status()); });
}

void JetStreamSource::Unpin() {
  const std::string subject = absl::StrCat(connection_->api_prefix(), ".CONSUMER.UNPIN.", stream_, ".", consumer_);
  connection_->Request(
      this, subject.c_str(), absl::StrCat("{\"group\":\"", priority_group_, "\"}"), kUnpinTimeout,
      [this](const absl::StatusOr<absl::string_view>& answer) { listener_->OnUnpinned(UnpinStatus(answer)); });
}

void JetStreamSource::Fence(absl::string_view reply, uint64_t tag) {
  Confirm(AckSubjectOfNoMessage(reply), {core::Verdict::kInProgress, absl::ZeroDuration(), {}}, tag);
}

// --- the end ---

void JetStreamSource::CloseIntake() {
  closing_ = true;
  if (open_inboxes_ == 0) {
    gate_->Post([](JetStreamSource* source) { source->OnIntakeEnd(); });
    return;
  }
  const absl::Duration timeout = connection_->connected() ? kDrainTimeout : kDrainTimeoutWhenDown;
  connection_->RunBlocking([inbox = inbox_, timeout] { inbox->Drain(timeout); });
  if (retire_.pending()) RetireInboxes();
}

void JetStreamSource::OnInboxEnd() {
  --open_inboxes_;
  if (open_inboxes_ == 1 && !closing_) {
    connection_->RunBlocking([old = std::exchange(old_inboxes_, {})]() mutable { old.clear(); });
  }
  if (closing_ && open_inboxes_ == 0) OnIntakeEnd();
}

void JetStreamSource::OnIntakeEnd() {
  OnArrivals();
  listener_->OnIntakeClosed();
}

}  // namespace sluice::jetstream
