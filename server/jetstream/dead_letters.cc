#include "jetstream/dead_letters.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "jetstream/api_reply.h"
#include "jetstream/publish.h"
#include "jetstream/stored_message.h"

namespace sluice::jetstream {
namespace {

// For what has come already when it stops listening.
constexpr absl::Duration kDrainTimeout = absl::Milliseconds(500);

}  // namespace

// What cnats's thread has received.
class JetStreamDeadLetters::Advisories final : public Inbox::Sink {
 public:
  explicit Advisories(std::shared_ptr<LoopGate<JetStreamDeadLetters>> gate) : gate_(std::move(gate)) {}

  void OnMessage(NatsPtr<natsMsg> msg) override {
    if (arrived.Push(std::move(msg))) gate_->Post([](JetStreamDeadLetters* letters) { letters->OnAdvisories(); });
  }
  void OnEnd() override {}

  base::Mailbox<NatsPtr<natsMsg>> arrived;

 private:
  const std::shared_ptr<LoopGate<JetStreamDeadLetters>> gate_;
};

bool ParseMaxDeliveriesAdvisory(absl::string_view text, uint64_t* stream_sequence, uint64_t* deliveries) {
  const absl::StatusOr<ApiReply> advisory = ParseApiReply(text);
  if (!advisory.ok()) return false;
  const auto sequence = advisory->body.find("stream_seq");
  if (sequence == advisory->body.end() || !sequence->is_number_unsigned()) return false;
  *stream_sequence = sequence->get<uint64_t>();
  const auto count = advisory->body.find("deliveries");
  *deliveries = count != advisory->body.end() && count->is_number_unsigned() ? count->get<uint64_t>() : 0;
  return *stream_sequence > 0;
}

JetStreamDeadLetters::JetStreamDeadLetters(Connection* connection, base::EventLoop* loop, std::string stream,
                                           std::string durable)
    : connection_(connection),
      stream_(std::move(stream)),
      durable_(std::move(durable)),
      gate_(std::make_shared<LoopGate<JetStreamDeadLetters>>(loop, this)),
      advisories_(std::make_shared<Advisories>(gate_)) {}

JetStreamDeadLetters::~JetStreamDeadLetters() {
  gate_->Close();
  connection_->RemoveListener(this);
  connection_->RunBlocking([inbox = std::move(inbox_), old = std::move(old_inbox_)]() mutable {
    inbox.reset();
    old.reset();
  });
}

void JetStreamDeadLetters::Start(core::DeadLetterSink::Listener* listener) {
  listener_ = listener;
  connection_->AddListener(this);
}

// cnats subscribes again by itself when it reconnects, but not when it was replaced.
void JetStreamDeadLetters::OnConnection(bool connected) {
  const bool is_open = inbox_ != nullptr && inbox_generation_ == connection_->generation();
  if (!connected || is_open || stopped_) return;
  const std::string subject = absl::StrCat("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.", stream_, ".", durable_);
  absl::StatusOr<std::unique_ptr<Inbox>> inbox =
      connection_->OpenQueue(subject, absl::StrCat("sluice-", durable_), advisories_);
  if (!inbox.ok()) {
    base::LogWarning("cannot hear of messages that JetStream gives up",
                     {{"stream", stream_}, {"consumer", durable_}, {"err", inbox.status().message()}});
    return;
  }
  inbox_ = *std::move(inbox);
  inbox_generation_ = connection_->generation();
}

// Two for a moment, so that no advisory finds none.
void JetStreamDeadLetters::OnReplaced() {
  old_inbox_ = inbox_;
  OnConnection(true);
  if (old_inbox_ == nullptr || old_inbox_ == inbox_) return;
  connection_->RunBlocking([inbox = old_inbox_] { inbox->Drain(kDrainTimeout); });
}

void JetStreamDeadLetters::Publish(const core::DeadLetter& letter, uint64_t tag) {
  PublishToStream(connection_, this, letter.subject, letter.headers, letter.data, kTimeout,
                  [this, tag](const absl::StatusOr<PubAck>& ack) {
                    if (connection_->connected()) return listener_->OnPublished(tag, ack.status());
                    // That there is no connection comes first: nothing can be NAKed now.
                    gate_->Post([tag, status = ack.status()](JetStreamDeadLetters* letters) {
                      letters->listener_->OnPublished(tag, status);
                    });
                  });
}

void JetStreamDeadLetters::Fetch(uint64_t stream_sequence) {
  const std::string subject = absl::StrCat(connection_->api_prefix(), ".STREAM.MSG.GET.", stream_);
  connection_->Request(this, subject.c_str(), absl::StrCat("{\"seq\":", stream_sequence, "}"), kTimeout,
                       [this, stream_sequence](const absl::StatusOr<absl::string_view>& text) {
                         if (!text.ok()) return listener_->OnFetched(stream_sequence, text.status());
                         listener_->OnFetched(stream_sequence, ParseStoredMessage(*text));
                       });
}

void JetStreamDeadLetters::OnAdvisories() {
  advisories_->arrived.Take(arrived_);
  for (const NatsPtr<natsMsg>& msg : arrived_) {
    const absl::string_view text(natsMsg_GetData(msg.get()), static_cast<size_t>(natsMsg_GetDataLength(msg.get())));
    uint64_t stream_sequence = 0;
    uint64_t deliveries = 0;
    if (ParseMaxDeliveriesAdvisory(text, &stream_sequence, &deliveries)) {
      listener_->OnGivenUp(stream_sequence, deliveries);
    } else {
      base::LogWarning("an advisory that cannot be read", {{"stream", stream_}, {"consumer", durable_}});
    }
  }
  arrived_.clear();
}

void JetStreamDeadLetters::StopListening() {
  stopped_ = true;
  if (inbox_ == nullptr) return;
  connection_->RunBlocking([inbox = inbox_] { inbox->Drain(kDrainTimeout); });
}

}  // namespace sluice::jetstream
