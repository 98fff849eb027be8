#include "jetstream/publisher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mailbox.h"
#include "jetstream/api_reply.h"
#include "jetstream/header_block.h"
#include "jetstream/loop_gate.h"
#include "jetstream/nats_message.h"
#include "jetstream/pull_status.h"

namespace sluice::jetstream {

// Brings PubAcks from cnats's thread to the loop; may outlive the publisher.
class Publisher::Replies final : public Inbox::Sink {
 public:
  Replies(Publisher* publisher, base::EventLoop* loop) : gate(std::make_shared<LoopGate<Publisher>>(loop, publisher)) {}

  void OnMessage(NatsPtr<natsMsg> msg) override {
    if (arrived.Push(std::move(msg))) gate->Post([](Publisher* publisher) { publisher->OnReplies(); });
  }
  void OnEnd() override {}

  const std::shared_ptr<LoopGate<Publisher>> gate;
  base::Mailbox<NatsPtr<natsMsg>> arrived;
};

Publisher::Publisher(Connection* connection, base::EventLoop* loop, std::string subject, std::string id)
    : connection_(connection),
      loop_(loop),
      subject_(std::move(subject)),
      id_(std::move(id)),
      replies_(std::make_shared<Replies>(this, loop)),
      sweep_(&loop->timers()) {
  connection_->AddListener(this);
}

Publisher::~Publisher() {
  replies_->gate->Close();
  connection_->RemoveListener(this);
}

void Publisher::Publish(std::string payload) {
  const uint64_t number = ++published_;
  outstanding_.push_back({std::move(payload), loop_->timers().now()});
  Send(number, outstanding_.back());
  if (!sweep_.pending()) ArmSweep();
}

void Publisher::WhenConfirmed(absl::AnyInvocable<void()> callback) {
  if (unconfirmed() == 0) return callback();
  when_confirmed_ = std::move(callback);
}

void Publisher::OnConnection(bool connected) {
  if (connected) SendOverdue(absl::ZeroDuration());
}

bool Publisher::OpenInbox() {
  if (inbox_ != nullptr && inbox_generation_ == connection_->generation()) return true;
  absl::StatusOr<std::unique_ptr<Inbox>> inbox = connection_->OpenInbox(replies_);
  if (!inbox.ok()) return false;
  inbox_ = *std::move(inbox);
  inbox_generation_ = connection_->generation();
  return true;
}

// What fails here is overdue later.
void Publisher::Send(uint64_t number, Message& message) {
  message.sent = loop_->timers().now();
  if (!connection_->connected() || !OpenInbox()) return;
  const std::string reply = absl::StrCat(inbox_->prefix(), number);
  natsMsg* raw = nullptr;
  if (natsMsg_Create(&raw, subject_.c_str(), reply.c_str(), message.payload.data(),
                     static_cast<int>(message.payload.size())) != NATS_OK) {
    return;
  }
  const NatsPtr<natsMsg> msg(raw);
  if (natsMsgHeader_Set(raw, "Nats-Msg-Id", absl::StrCat(id_, "-", number).c_str()) != NATS_OK) return;
  if (const absl::Status sent = connection_->PublishMessage(raw); !sent.ok()) last_error_ = std::string(sent.message());
}

void Publisher::SendOverdue(absl::Duration older_than) {
  const absl::Time latest = loop_->timers().now() - older_than;
  for (size_t i = 0; i < outstanding_.size(); ++i) {
    Message& message = outstanding_[i];
    if (!message.confirmed && message.sent <= latest) Send(first_ + i, message);
  }
}

void Publisher::ArmSweep() {
  sweep_.SetAfter(kAckTimeout / 2, [this] {
    SendOverdue(kAckTimeout);
    if (!outstanding_.empty()) ArmSweep();
  });
}

void Publisher::OnReplies() {
  replies_->arrived.Take(arrived_);
  for (const NatsPtr<natsMsg>& reply : arrived_) OnReply(reply.get());
  arrived_.clear();
  if (unconfirmed() == 0 && when_confirmed_ != nullptr) std::exchange(when_confirmed_, nullptr)();
}

void Publisher::OnReply(const natsMsg* reply) {
  if (!StatusOf(HeaderBlockOf(reply)).empty()) {
    last_error_ = "no responders: no stream takes this subject";
    return;
  }
  const absl::string_view text(natsMsg_GetData(reply), static_cast<size_t>(natsMsg_GetDataLength(reply)));
  // A PubAck is {"stream":"NAME","seq":7}; names hold no quotes. Only what may be an error is worth a parser.
  if (text.find("\"error\"") != absl::string_view::npos) {
    const absl::StatusOr<ApiReply> parsed = ParseApiReply(text);
    last_error_ = parsed.ok() ? parsed->description : std::string(parsed.status().message());
    return;
  }
  Confirm(PullIdOf(natsMsg_GetSubject(reply)));
}

void Publisher::Confirm(uint64_t number) {
  if (number < first_ || number - first_ >= outstanding_.size()) return;
  Message& message = outstanding_[number - first_];
  if (std::exchange(message.confirmed, true)) return;
  ++confirmed_;
  message.payload = std::string();
  while (!outstanding_.empty() && outstanding_.front().confirmed) {
    outstanding_.pop_front();
    ++first_;
  }
}

}  // namespace sluice::jetstream
