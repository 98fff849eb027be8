#include "jetstream/connection.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "jetstream/header_block.h"
#include "jetstream/nats_message.h"
#include "jetstream/nats_private.h"
#include "jetstream/pull_status.h"
#include "jetstream/server_url.h"
#include "jetstream/server_version.h"

namespace sluice::jetstream {
namespace {

constexpr absl::Duration kFirstDialWait = absl::Milliseconds(100);
constexpr absl::Duration kGreetingTimeout = absl::Seconds(1);
constexpr absl::Duration kCloseTimeout = absl::Seconds(2);
constexpr absl::Duration kMoveFlushTimeout = absl::Milliseconds(250);
// A credential may become valid a little later than it is here.
constexpr absl::Duration kSuccessorRetry = absl::Seconds(1);
// Acks that come within it cost one write, and one reading of the server's.
constexpr absl::Duration kWriteAfter = absl::Milliseconds(1);
// Half of cnats's own buffer, beyond which it writes by itself.
constexpr size_t kWorthAWrite = 16 * 1024;
// What is larger goes by cnats, which looks at the max_payload of the server.
constexpr size_t kMostKept = 512;
// The longest that a request may take, and some.
constexpr absl::Duration kRetirement = absl::Seconds(10);

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
  auto connection = std::unique_ptr<Connection>(new Connection(options, *std::move(nats_options), loop));
  connection->Dial();
  return connection;
}

Connection::Connection(const ConnectionOptions& options, NatsPtr<natsOptions> nats_options, base::EventLoop* loop)
    : api_prefix_(options.ApiPrefix()),
      loop_(loop),
      gate_(std::make_shared<LoopGate<Connection>>(loop, this)),
      replies_sink_(std::make_shared<Replies>(gate_)),
      nats_options_(nats_options.release(), NatsDestroy()),
      retire_timer_(&loop->timers()),
      requests_(&loop->timers()),
      write_timer_(&loop->timers()),
      dial_backoff_(kFirstDialWait, std::max(kFirstDialWait, options.reconnect_wait), absl::BitGen()()),
      dial_timer_(&loop->timers()),
      side_thread_([this] { side_loop_.Run(); }) {}

Connection::~Connection() {
  gate_->Close();
  retired_.clear();
  replies_.reset();
  nats_.reset();
  side_loop_.Stop();
  side_thread_.join();
}

// --- up and down ---

template <typename Done>
void Connection::DialWith(Options options, uint64_t generation, Done done) {
  RunBlocking([gate = gate_, options = std::move(options), generation, done] {
    auto closure = std::make_unique<Hook>(Hook{gate, generation});  // cnats's, if it connects
    SetCallbacks(options.get(), closure.get());
    natsConnection* raw = nullptr;
    const natsStatus status = natsConnection_Connect(&raw, options.get());
    if (status == NATS_OK) closure.release();
    const char* detail = status == NATS_OK ? nullptr : nats_GetLastError(nullptr);
    const bool has_detail = detail != nullptr && *detail != '\0';
    gate->Post([generation, done, nats = NatsPtr<natsConnection>(raw),
                why = std::string(has_detail ? detail : natsStatus_GetText(status))](Connection* c) mutable {
      done(c, generation, std::move(nats), why);
    });
  });
}

void Connection::Dial() {
  generation_ = ++last_generation_;
  DialWith(nats_options_, generation_,
           [](Connection* c, uint64_t generation, NatsPtr<natsConnection> nats, const std::string& why) {
             if (c->generation() != generation) {
               c->RunBlocking([nats = std::move(nats)] {});  // late: its end waits for its threads
             } else if (nats != nullptr) {
               c->OnDialled(std::move(nats));
             } else {
               c->OnDialFailed(why);
             }
           });
}

void Connection::SetCallbacks(natsOptions* options, void* hook) {
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
  if (stays_while_up_) successor_ = nullptr;
  status_.last_error.clear();
  dial_backoff_.Reset();
  LearnServer();
  TellListeners();
}

void Connection::OnDown() {
  if (!connected_) return;
  connected_ = false;
  write_timer_.Cancel();
  kept_.Clear();
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

// --- another natsConnection takes over ---

void Connection::StayWhileUp() {
  stays_while_up_ = true;
  if (connected_) successor_ = nullptr;
}

void Connection::Replace(ConnectionOptions options, ReplaceCallback news) {
  if (stays_while_up_ && connected_) {
    return news(absl::FailedPreconditionError("the daemon drains, with the connection that it has"));
  }
  absl::StatusOr<NatsPtr<natsOptions>> nats_options = MakeNatsOptions(options);
  if (!nats_options.ok()) {
    base::LogError("the login to NATS cannot be used; what was before stays",
                   {{"err", nats_options.status().message()}});
    return news(nats_options.status());
  }
  successor_ = std::make_unique<Successor>(&loop_->timers());
  successor_->options = Options(nats_options->release(), NatsDestroy());
  successor_->news = std::move(news);
  DialSuccessor();
}

void Connection::DialSuccessor() {
  successor_->generation = ++last_generation_;
  DialWith(successor_->options, successor_->generation,
           [](Connection* c, uint64_t generation, NatsPtr<natsConnection> nats, const std::string& why) {
             const bool is_wanted = c->successor_ != nullptr && c->successor_->generation == generation;
             if (!is_wanted) {
               c->RunBlocking([nats = std::move(nats)] {});
             } else if (nats != nullptr) {
               c->OnSuccessorDialled(std::move(nats));
             } else {
               c->OnSuccessorFailed(why);
             }
           });
}

void Connection::OnSuccessorFailed(const std::string& why) {
  if (!std::exchange(successor_->failed, true)) {
    base::LogError("cannot connect to NATS as it is configured now, trying on; what was before stays", {{"err", why}});
    successor_->news(absl::UnavailableError(absl::StrCat("cannot connect to NATS: ", why)));
  }
  successor_->retry.SetAfter(kSuccessorRetry, [this] { DialSuccessor(); });
}

void Connection::OnSuccessorDialled(NatsPtr<natsConnection> raw) {
  auto nats = std::make_shared<NatsConnection>(std::move(raw));
  absl::StatusOr<std::unique_ptr<Inbox>> replies = Inbox::Open(nats, replies_sink_);
  const auto fail = [&](absl::string_view why) {
    const std::string text(why);
    replies = nullptr;
    RunBlocking([nats = std::move(nats)]() mutable { nats.reset(); });
    OnSuccessorFailed(text);
  };
  if (!replies.ok()) return fail(replies.status().message());
  if (natsConnection_Status(nats->get()) != NATS_CONN_STATUS_CONNECTED) return fail("it broke at once");
  // Behind the flush the server has all that was written to the connection before, so that the order of the verdicts is
  // kept over the move. It holds up the loop for one round trip.
  const bool seamless = nats_ != nullptr && IsUp();
  if (seamless) HandOver();
  if (seamless && stays_while_up_) return fail("the one before is up again");
  if (seamless && natsConnection_FlushTimeout(nats_->get(), absl::ToInt64Milliseconds(kMoveFlushTimeout)) != NATS_OK) {
    return fail("the server does not answer on the connection before");
  }
  if (!seamless) OnDown();  // as any loss: what was not vouched for is sent again
  dial_timer_.Cancel();     // of a lost one that was to be dialled anew
  const std::unique_ptr<Successor> successor = std::move(successor_);
  nats_options_ = successor->options;
  generation_ = successor->generation;
  Retire(std::exchange(nats_, std::move(nats)), std::exchange(replies_, *std::move(replies)));
  base::LogInfo("moved to a new connection to NATS");
  if (seamless) {
    LearnServer();
    for (const Told& one : std::vector<Told>(listeners_)) one.listener->OnReplaced();
  } else {
    OnUp();
  }
  successor->news(absl::OkStatus());
}

// Answers to requests still come to it for a while; and its open pulls, whose inboxes keep it.
void Connection::Retire(std::shared_ptr<NatsConnection> nats, std::unique_ptr<Inbox> replies) {
  if (nats == nullptr) return;
  retired_.push_back({std::move(nats), std::move(replies)});
  retire_timer_.SetAfter(connected_ ? kRetirement : absl::ZeroDuration(), [this] { EndRetired(); });
}

// The last reference to a natsConnection waits for its threads.
void Connection::EndRetired() {
  RunBlocking([retired = std::exchange(retired_, {})]() mutable { retired.clear(); });
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

// True if it is kept, to be written with others. False: it is for cnats, behind all that was kept.
bool Connection::Keep(absl::string_view subject, absl::string_view reply, absl::string_view payload) {
  if (!PublishBuffer::IsUsable()) return false;
  if (payload.size() > kMostKept) {
    HandOver();
    return false;
  }
  kept_.Add(subject, reply, payload);
  if (kept_.size() >= kWorthAWrite) {
    Flush();
  } else if (!write_timer_.pending()) {
    write_timer_.SetAfter(kWriteAfter, [this] { Flush(); });
  }
  return true;
}

void Connection::HandOver() {
  write_timer_.Cancel();
  if (PublishBuffer::IsUsable()) kept_.HandOver(nats_->get());
}

void Connection::Flush() {
  write_timer_.Cancel();
  if (connected_ && PublishBuffer::IsUsable()) kept_.Write(nats_->get());
}

absl::Status Connection::Publish(const char* subject, absl::string_view payload) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  if (Keep(subject, "", payload)) return absl::OkStatus();
  return ToStatus(natsConnection_Publish(nats_->get(), subject, payload.data(), static_cast<int>(payload.size())));
}

bool Connection::IsUp() const {
  return connected_ && natsConnection_Status(nats_->get()) == NATS_CONN_STATUS_CONNECTED;
}

absl::Status Connection::PublishRequest(const char* subject, const char* reply, absl::string_view payload) {
  // What is large cnats would keep while it reconnects, and send afterwards, when it was given up long ago; what is
  // small would be dropped. So ask cnats, which may know of a loss before the loop does.
  if (!IsUp()) return absl::UnavailableError("not connected to NATS");
  if (Keep(subject, reply, payload)) return absl::OkStatus();
  return ToStatus(
      natsConnection_PublishRequest(nats_->get(), subject, reply, payload.data(), static_cast<int>(payload.size())));
}

absl::Status Connection::PublishMessage(natsMsg* msg) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  HandOver();
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

absl::StatusOr<std::unique_ptr<Inbox>> Connection::OpenInbox(std::shared_ptr<Inbox::Sink> sink,
                                                             const std::string& consumer) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return Inbox::Open(nats_, std::move(sink), consumer);
}

absl::StatusOr<std::unique_ptr<Inbox>> Connection::OpenQueue(const std::string& subject, const std::string& queue,
                                                             std::shared_ptr<Inbox::Sink> sink) {
  if (!connected_) return absl::UnavailableError("not connected to NATS");
  return Inbox::OpenQueue(nats_, subject, queue, std::move(sink));
}

absl::Status Connection::Close() {
  generation_ = ++last_generation_;  // what still comes from cnats is no news
  successor_ = nullptr;
  retire_timer_.Cancel();
  retired_.clear();
  dial_timer_.Cancel();
  if (connected_) HandOver();
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
