#include "jetstream/connection.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "jetstream/header_block.h"
#include "jetstream/nats_message.h"
#include "jetstream/pull_status.h"
#include "jetstream/server_url.h"
#include "jetstream/server_version.h"

namespace sluice::jetstream {
namespace {

constexpr absl::Duration kFirstDialWait = absl::Milliseconds(100);
constexpr absl::Duration kGreetingTimeout = absl::Seconds(1);
constexpr absl::Duration kCloseTimeout = absl::Seconds(2);

absl::Status ToStatus(natsStatus status) {
  switch (status) {
    case NATS_OK:
      return absl::OkStatus();
    case NATS_MAX_PAYLOAD:
      return absl::InvalidArgumentError("larger than the server's max_payload");
    case NATS_TIMEOUT:
      return absl::DeadlineExceededError("NATS did not answer in time");
    default:
      return absl::UnavailableError(natsStatus_GetText(status));
  }
}

}  // namespace

// Where cnats's thread brings the answers to requests.
class Connection::Replies final : public Inbox::Sink {
 public:
  explicit Replies(std::shared_ptr<LoopGate<Connection>> gate) : gate_(std::move(gate)) {}

  void OnMessage(NatsPtr<natsMsg> msg) override {
    if (mailbox.Push(std::move(msg))) gate_->Post([](Connection* connection) { connection->OnReplies(); });
  }
  void OnEnd() override {}

  base::Mailbox<NatsPtr<natsMsg>> mailbox;

 private:
  const std::shared_ptr<LoopGate<Connection>> gate_;
};

namespace {

// The closure of one natsConnection's callbacks; freed by the last of them.
struct Hook {
  std::shared_ptr<LoopGate<Connection>> gate;
  uint64_t generation;

  // Runs `event(connection)` on the loop, unless the natsConnection was replaced.
  template <typename Event>
  void Post(Event event) const {
    gate->Post([generation = generation, event = std::move(event)](Connection* connection) mutable {
      if (connection->generation() == generation) event(connection);
    });
  }
};

std::string LastErrorOf(natsConnection* nats, natsStatus status) {
  const char* text = nullptr;
  natsConnection_GetLastError(nats, &text);
  return text != nullptr && *text != '\0' ? text : natsStatus_GetText(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Connect(ConnectionOptions options, base::EventLoop* loop) {
  absl::StatusOr<NatsPtr<natsOptions>> nats_options = MakeNatsOptions(options);
  if (!nats_options.ok()) return nats_options.status();
  auto connection = std::unique_ptr<Connection>(new Connection(std::move(options), *std::move(nats_options), loop));
  connection->Dial();
  return connection;
}

Connection::Connection(ConnectionOptions options, NatsPtr<natsOptions> nats_options, base::EventLoop* loop)
    : options_(std::move(options)),
      api_prefix_(options_.ApiPrefix()),
      loop_(loop),
      nats_options_(std::move(nats_options)),
      gate_(std::make_shared<LoopGate<Connection>>(loop, this)),
      replies_sink_(std::make_shared<Replies>(gate_)),
      requests_(&loop->timers()),
      dial_backoff_(kFirstDialWait, std::max(kFirstDialWait, options_.reconnect_wait), absl::BitGen()()),
      dial_timer_(&loop->timers()),
      side_thread_([this] { side_loop_.Run(); }) {}

Connection::~Connection() {
  gate_->Close();
  replies_.reset();
  nats_.reset();
  side_loop_.Stop();
  side_thread_.join();
}

// --- up and down ---

void Connection::Dial() {
  ++generation_;
  RunBlocking([this, generation = generation_] {
    const Hook hook{gate_, generation};
    auto closure = std::make_unique<Hook>(hook);  // cnats's, if it connects
    SetCallbacks(closure.get());
    natsConnection* nats = nullptr;
    const natsStatus status = natsConnection_Connect(&nats, nats_options_.get());
    if (status == NATS_OK) {
      closure.release();
      hook.Post([nats = NatsPtr<natsConnection>(nats)](Connection* c) mutable { c->OnDialled(std::move(nats)); });
    } else {
      const char* detail = nats_GetLastError(nullptr);
      const bool has_detail = detail != nullptr && *detail != '\0';
      hook.Post([why = std::string(has_detail ? detail : natsStatus_GetText(status))](Connection* c) {
        c->OnDialFailed(why);
      });
    }
  });
}

void Connection::SetCallbacks(void* hook) {
  natsOptions* const options = nats_options_.get();
  natsOptions_SetDisconnectedCB(
      options, [](natsConnection*, void* hook) { static_cast<Hook*>(hook)->Post([](Connection* c) { c->OnDown(); }); },
      hook);
  natsOptions_SetReconnectedCB(
      options, [](natsConnection*, void* hook) { static_cast<Hook*>(hook)->Post([](Connection* c) { c->OnUp(); }); },
      hook);
  natsOptions_SetErrorHandler(
      options,
      [](natsConnection* nats, natsSubscription*, natsStatus status, void* hook) {
        static_cast<Hook*>(hook)->Post([why = LastErrorOf(nats, status)](Connection* c) { c->OnError(why); });
      },
      hook);
  natsOptions_SetClosedCB(
      options,
      [](natsConnection* nats, void* hook) {
        const std::unique_ptr<Hook> owned(static_cast<Hook*>(hook));  // no callback follows this one
        owned->Post([why = LastErrorOf(nats, NATS_CONNECTION_CLOSED)](Connection* c) { c->OnGivenUp(why); });
      },
      hook);
}

void Connection::OnDialled(NatsPtr<natsConnection> nats) {
  nats_ = std::make_shared<NatsConnection>(std::move(nats));
  absl::StatusOr<std::unique_ptr<Inbox>> replies = Inbox::Open(nats_, replies_sink_);
  if (!replies.ok()) return OnGivenUp(std::string(replies.status().message()));
  replies_ = *std::move(replies);
  OnUp();
}

void Connection::OnDialFailed(const std::string& why) {
  if (why != status_.last_error) base::LogWarning("cannot connect to NATS, trying on", {{"err", why}});
  DialLater(why);
}

void Connection::DialLater(const std::string& why) {
  status_.last_error = why;
  dial_timer_.SetAfter(dial_backoff_.Next(), [this] { Dial(); });
}

void Connection::OnUp() {
  if (connected_) OnDown();  // it went and came before the loop heard of it
  if (++ups_ > 1) ++status_.reconnects;
  connected_ = true;
  status_.last_error.clear();
  dial_backoff_.Reset();
  LearnServer();
  TellListeners();
}

void Connection::OnDown() {
  if (!connected_) return;
  connected_ = false;
  base::LogWarning("lost the connection to NATS, reconnecting", {{"url", status_.url}, {"err", status_.last_error}});
  requests_.EndAll(absl::UnavailableError("the connection to NATS went before the answer came"));
  TellListeners();
}

void Connection::OnError(const std::string& text) {
  if (text != status_.last_error) base::LogWarning("NATS reports an error", {{"err", text}});
  status_.last_error = text;
}

void Connection::OnGivenUp(const std::string& why) {
  if (nats_ == nullptr) return;
  OnDown();
  replies_.reset();
  // The last reference to a natsConnection waits for its threads.
  RunBlocking([nats = std::move(nats_)]() mutable { nats.reset(); });
  nats_ = nullptr;
  base::LogWarning("NATS refused the connection, dialling anew", {{"err", why}});
  DialLater(why);
}

void Connection::LearnServer() {
  RunBlocking([this, nats = nats_, up = ups_] {
    char raw_url[1024] = "";
    natsConnection_GetConnectedUrl(nats->get(), raw_url, sizeof(raw_url));
    const absl::StatusOr<ServerUrl> url = ParseServerUrl(raw_url);
    if (!url.ok()) return;  // it is down again already
    const absl::StatusOr<std::string> version = ReadServerVersion(url->host, url->port, kGreetingTimeout);
    gate_->Post([up, url = url->ToString(), version = version.value_or("")](Connection* c) {
      if (c->connected_ && c->ups_ == up) c->OnServerLearnt(url, version);
    });
  });
}

void Connection::OnServerLearnt(std::string url, std::string version) {
  base::LogInfo("connected to NATS", {{"url", url}, {"server_version", version}});
  status_.url = std::move(url);
  refuses_term_reason_ = !version.empty() && !VersionAtLeast(version, 2, 10, 4);
  status_.server_version = std::move(version);
}

// --- listeners ---

void Connection::AddListener(Listener* listener) {
  listeners_.push_back({listener, false});
  gate_->Post([](Connection* connection) { connection->TellListeners(); });
}

void Connection::RemoveListener(Listener* listener) {
  listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(),
                                  [listener](const Told& told) { return told.listener == listener; }),
                   listeners_.end());
  requests_.Forget(listener);
}

void Connection::TellListeners() {
  // From the start each time: a listener may add and remove others.
  const auto outdated = [this](const Told& told) { return told.connected != connected_; };
  for (;;) {
    const auto next = std::find_if(listeners_.begin(), listeners_.end(), outdated);
    if (next == listeners_.end()) return;
    next->connected = connected_;
    next->listener->OnConnection(connected_);
  }
}

ConnectionStatus Connection::status() const {
  ConnectionStatus status = status_;
  status.connected = connected_;
  return status;
}

// --- traffic ---

absl::Status Connection::Publish(const char* subject, absl::string_view payload) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return ToStatus(natsConnection_Publish(nats_->get(), subject, payload.data(), static_cast<int>(payload.size())));
}

bool Connection::IsUp() const {
  return connected_ && natsConnection_Status(nats_->get()) == NATS_CONN_STATUS_CONNECTED;
}

absl::Status Connection::PublishRequest(const char* subject, const char* reply, absl::string_view payload) {
  // cnats keeps what is published while it reconnects and sends it afterwards. That is right for a settlement, and
  // wrong for what is asked and given up before it is sent: a pull would bring messages that nobody counts on. So ask
  // cnats, which may know of a loss before the loop does.
  if (!IsUp()) return absl::UnavailableError("not connected to NATS");
  return ToStatus(
      natsConnection_PublishRequest(nats_->get(), subject, reply, payload.data(), static_cast<int>(payload.size())));
}

absl::Status Connection::PublishMessage(natsMsg* msg) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return ToStatus(natsConnection_PublishMsg(nats_->get(), msg));
}

void Connection::Request(const Listener* owner, const char* subject, absl::string_view payload, absl::Duration timeout,
                         Requests::Callback callback) {
  const uint64_t id = requests_.Add(owner, timeout, std::move(callback));
  absl::Status sent = absl::UnavailableError("not connected to NATS");
  if (connected_) {
    reply_subject_.assign(replies_->prefix());
    absl::StrAppend(&reply_subject_, id);
    sent = PublishRequest(subject, reply_subject_.c_str(), payload);
  }
  if (sent.ok()) return;
  gate_->Post([id, sent](Connection* connection) { connection->requests_.End(id, sent); });
}

void Connection::RequestWithHeaders(const Listener* owner, const char* subject,
                                    const std::vector<std::pair<std::string, std::string>>& headers,
                                    absl::string_view payload, absl::Duration timeout, Requests::Callback callback) {
  const uint64_t id = requests_.Add(owner, timeout, std::move(callback));
  absl::Status sent = absl::UnavailableError("not connected to NATS");
  if (IsUp()) {  // as for PublishRequest()
    reply_subject_.assign(replies_->prefix());
    absl::StrAppend(&reply_subject_, id);
    sent = SendWithHeaders(subject, headers, payload);
  }
  if (sent.ok()) return;
  gate_->Post([id, sent](Connection* connection) { connection->requests_.End(id, sent); });
}

absl::Status Connection::SendWithHeaders(const char* subject,
                                         const std::vector<std::pair<std::string, std::string>>& headers,
                                         absl::string_view payload) {
  natsMsg* raw = nullptr;
  natsStatus status =
      natsMsg_Create(&raw, subject, reply_subject_.c_str(), payload.data(), static_cast<int>(payload.size()));
  const NatsPtr<natsMsg> msg(raw);
  for (size_t i = 0; status == NATS_OK && i < headers.size(); ++i) {
    status = natsMsgHeader_Add(raw, headers[i].first.c_str(), headers[i].second.c_str());
  }
  return status == NATS_OK ? PublishMessage(raw) : ToStatus(status);
}

void Connection::OnReplies() {
  replies_sink_->mailbox.Take(arrived_);
  for (const NatsPtr<natsMsg>& msg : arrived_) {
    const uint64_t id = PullIdOf(natsMsg_GetSubject(msg.get()));
    const absl::string_view status = StatusOf(HeaderBlockOf(msg.get()));
    if (status.substr(0, 3) == "503") {
      requests_.End(id, absl::UnavailableError("no responders: JetStream is not there, or not for this account"));
    } else {
      requests_.End(id, absl::string_view(natsMsg_GetData(msg.get()), natsMsg_GetDataLength(msg.get())));
    }
  }
  arrived_.clear();
}

absl::StatusOr<std::unique_ptr<Inbox>> Connection::OpenInbox(std::shared_ptr<Inbox::Sink> sink) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return Inbox::Open(nats_, std::move(sink));
}

absl::StatusOr<std::unique_ptr<Inbox>> Connection::OpenQueue(const std::string& subject, const std::string& queue,
                                                             std::shared_ptr<Inbox::Sink> sink) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return Inbox::OpenQueue(nats_, subject, queue, std::move(sink));
}

absl::Status Connection::Close() {
  ++generation_;  // what still comes from cnats is no news
  dial_timer_.Cancel();
  const bool was_connected = std::exchange(connected_, false);
  requests_.EndAll(absl::CancelledError("the connection to NATS is being closed"));
  if (nats_ == nullptr) return absl::UnavailableError("not connected to NATS");
  // cnats 3.4 does not reliably flush when it closes.
  absl::Status flushed = absl::UnavailableError("not connected to NATS");
  if (was_connected)
    flushed = ToStatus(natsConnection_FlushTimeout(nats_->get(), absl::ToInt64Milliseconds(kCloseTimeout)));
  replies_.reset();
  natsConnection_Close(nats_->get());
  nats_.reset();
  return flushed;
}

}  // namespace sluice::jetstream
