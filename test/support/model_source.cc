#include "test/support/model_source.h"

#include <algorithm>
#include <utility>

namespace sluice::test {
namespace {

constexpr absl::Duration kReconnectWait = absl::Milliseconds(100);

// The reason is for people, and a view.
core::Settlement Travelling(core::Settlement settlement) {
  settlement.term_reason = {};
  return settlement;
}

// What core gets of one attempt; the views point into it.
struct Content {
  std::string reply;
  std::string subject;
  std::string data;
  std::string pin_id;
};

core::Message MakeMessage(const Attempt& attempt, const StoredMessage& stored) {
  auto content = std::make_unique<Content>(Content{attempt.reply, stored.subject, stored.data, attempt.pin_id});
  core::Message message;
  message.subject = content->subject;
  message.reply = content->reply;
  message.data = content->data;
  message.stream_sequence = attempt.stream_sequence;
  message.consumer_sequence = attempt.consumer_sequence;
  message.num_delivered = attempt.num_delivered;
  message.num_pending = attempt.num_pending;
  message.pin_id = content->pin_id;
  message.timestamp_ns = absl::ToUnixNanos(stored.stored);
  message.owner = {content.release(), [](void* owned) { delete static_cast<Content*>(owned); }};
  return message;
}

}  // namespace

ModelSource::ModelSource(ModelJetStream* server, base::Timers* timers, Options options,
                         ModelJetStream::Witness* witness)
    : server_(server), timers_(timers), options_(options), witness_(witness), dice_(options.seed), reconnect_(timers) {}

ModelSource::~ModelSource() {
  for (int connection : connections_) server_->Disconnect(connection);
}

void ModelSource::Start(Listener* listener) {
  CheckUse(listener_ == nullptr, "Start() twice");
  listener_ = listener;
  reconnect_.SetAfter(absl::Milliseconds(1), [this] { Connect(); });
}

// -----------------------------------------------------------------------------------------------------------
// connection

void ModelSource::Connect() {
  if (!server_->running()) {
    reconnect_.SetAfter(kReconnectWait, [this] { Connect(); });
    return;
  }
  connection_ = std::make_shared<Connection>();
  connection_->number = server_->Connect(this);
  connections_.push_back(connection_->number);
  // A client library subscribes again by itself.
  if (attached_ && !closing_) server_->Subscribe(connection_->number);
  witness_->OnLink(options_.owner, true);
  told_connected_ = true;
  listener_->OnConnection(true);
}

void ModelSource::Disconnect(absl::Duration down, absl::Duration unnoticed) {
  if (connection_ == nullptr) return;
  const int number = connection_->number;
  if (unnoticed > absl::ZeroDuration()) {
    timers_->After(unnoticed, [server = server_, number] { server->Disconnect(number); });
  } else {
    server_->Disconnect(number);
  }
  connection_.reset();
  witness_->OnLink(options_.owner, false);
  open_pull_ = 0;
  open_left_ = 0;
  // What was asked ends with an error, soon: not from within a call of core.
  for (auto& [id, request] : requests_) {
    Soon(dice_.Between(absl::ZeroDuration(), absl::Milliseconds(5)),
         [this, id = id] { End(id, absl::UnavailableError("the connection is gone")); });
  }
  if (listener_ != nullptr) {
    Soon(absl::ZeroDuration(), [this] {
      told_connected_ = false;
      listener_->OnConnection(false);
    });
  }
  reconnect_.SetAfter(std::max(down, kReconnectWait), [this] { Connect(); });
}

absl::Time ModelSource::Travel(absl::Time& last_arrival) {
  const absl::Time arrival = timers_->now() + dice_.Between(options_.least_latency, options_.most_latency);
  last_arrival = std::max(last_arrival, arrival);
  return last_arrival;
}

void ModelSource::Up(Action arrive) {
  if (connection_ == nullptr) return;  // it broke just now, and core was not told yet
  timers_->At(Travel(connection_->up_arrival),
              [connection = std::weak_ptr<Connection>(connection_), arrive = std::move(arrive)]() mutable {
                if (connection.lock() != nullptr) arrive();
              });
}

void ModelSource::Down(Action arrive) {
  timers_->At(Travel(connection_->down_arrival),
              [connection = std::weak_ptr<Connection>(connection_), arrive = std::move(arrive)]() mutable {
                if (connection.lock() != nullptr) arrive();
              });
}

void ModelSource::Soon(absl::Duration delay, Action action) {
  timers_->After(delay, [alive = std::weak_ptr<bool>(alive_), action = std::move(action)]() mutable {
    if (alive.lock() != nullptr) action();
  });
}

// -------------------------------------------------------------------------------------------------------------
// requests

uint64_t ModelSource::Begin(absl::Duration timeout, absl::AnyInvocable<void(absl::StatusOr<core::ConsumerInfo>)> done) {
  const uint64_t id = ++last_request_;
  Request& request = requests_.try_emplace(id, timers_).first->second;
  request.done = std::move(done);
  request.timeout.SetAfter(timeout, [this, id] { End(id, absl::DeadlineExceededError("no answer")); });
  return id;
}

void ModelSource::End(uint64_t request, absl::StatusOr<core::ConsumerInfo> result) {
  auto node = requests_.extract(request);
  if (!node.empty()) node.mapped().done(std::move(result));
}

void ModelSource::Attach() {
  CheckUse(told_connected_ && !attaching_ && !closing_, "Attach() while not connected, attaching or closed");
  attaching_ = true;
  const uint64_t request = Begin(kAttachTimeout, [this](absl::StatusOr<core::ConsumerInfo> info) {
    attaching_ = false;
    attached_ |= info.ok();
    listener_->OnAttached(info);
  });
  Up([this, request] {
    server_->Subscribe(connection_->number);
    auto answer = server_->Attach(options_.managed);
    if (answer) Down([this, request, answer = *answer] { End(request, answer); });
  });
}

void ModelSource::RequestInfo() {
  CheckUse(told_connected_, "RequestInfo() while not connected");
  witness_->OnInfoRequested(options_.owner);
  const uint64_t request =
      Begin(kRequestTimeout, [this](const absl::StatusOr<core::ConsumerInfo>& info) { listener_->OnInfo(info); });
  Up([this, request] {
    auto answer = server_->Info();
    if (answer) Down([this, request, answer = *answer] { End(request, answer); });
  });
}

void ModelSource::Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) {
  CheckUse(told_connected_, "Confirm() while not connected");
  witness_->OnVerdictSent(server_->FindAttempt(reply), settlement, {true, PullIsOpen(), options_.owner});
  const uint64_t request = BeginQuestion(tag);
  Up([this, request, reply = std::string(reply), settlement = Travelling(settlement)] {
    if (!server_->Settle(reply, settlement)) return;
    Down([this, request] { End(request, core::ConsumerInfo()); });
  });
}

void ModelSource::Fence(absl::string_view, uint64_t tag) {
  CheckUse(told_connected_, "Fence() while not connected");
  Up([this, request = BeginQuestion(tag)] {
    if (!server_->leading() || !server_->exists()) return;
    Down([this, request] { End(request, core::ConsumerInfo()); });
  });
}

uint64_t ModelSource::BeginQuestion(uint64_t tag) {
  return Begin(kRequestTimeout, [this, tag](const absl::StatusOr<core::ConsumerInfo>& info) {
    listener_->OnConfirmed(tag, info.status());
  });
}

void ModelSource::Settle(absl::string_view reply, const core::Settlement& settlement) {
  CheckUse(told_connected_, "Settle() while not connected");
  witness_->OnVerdictSent(server_->FindAttempt(reply), settlement, {false, PullIsOpen(), options_.owner});
  Up([this, reply = std::string(reply), settlement = Travelling(settlement)] { server_->Settle(reply, settlement); });
}

void ModelSource::CloseIntake() {
  CheckUse(!closing_, "CloseIntake() twice");
  closing_ = true;
  if (!connected() || !attached_) {
    Soon(absl::Milliseconds(1), [this] { EndIntake(); });
    return;
  }
  const uint64_t request = Begin(kRequestTimeout, [this](const absl::StatusOr<core::ConsumerInfo>&) { EndIntake(); });
  Up([this, request] {
    server_->Unsubscribe(connection_->number);
    if (options_.cluster) unsubscribed_drops_ = frames_sent_;
    Down([this, request] { End(request, core::ConsumerInfo()); });
  });
}

void ModelSource::EndIntake() {
  intake_closed_ = true;
  witness_->OnIntakeClosed(options_.owner);
  listener_->OnIntakeClosed();
}

// ----------------------------------------------------------------------------------------------------------------
// pulls

void ModelSource::Pull(const core::PullRequest& request) {
  CheckUse(told_connected_ && attached_ && !closing_, "Pull() while not connected, not attached or closed");
  if (!connected()) return;
  CheckPull(request);
  witness_->OnPull(options_.owner, request);
  open_pull_ = request.id;
  open_left_ = request.batch;
  open_until_ = timers_->now() + request.expires;
  open_heartbeat_ = request.heartbeat > absl::ZeroDuration() ? request.heartbeat : request.expires;
  open_silent_at_ = timers_->now() + 2 * open_heartbeat_;
  Up([this, request] { server_->Pull(connection_->number, request); });
}

void ModelSource::RenewPin(absl::string_view pin_id, uint64_t id) {
  CheckUse(told_connected_ && attached_ && !closing_, "RenewPin() while not connected, not attached or closed");
  if (!connected()) return;
  Up([this, pin_id = std::string(pin_id), id] { server_->RenewPin(connection_->number, pin_id, id); });
}

void ModelSource::Unpin() {
  CheckUse(told_connected_, "Unpin() while not connected");
  witness_->OnUnpin(options_.owner);
  const uint64_t request = Begin(kRequestTimeout, [this](const absl::StatusOr<core::ConsumerInfo>& info) {
    listener_->OnUnpinned(info.status());
  });
  Up([this, request] {
    if (server_->Unpin()) Down([this, request] { End(request, core::ConsumerInfo()); });
  });
}

void ModelSource::CheckPull(const core::PullRequest& request) {
  CheckUse(request.batch > 0, "a pull of nothing");
  CheckUse(open_left_ == 0 || timers_->now() >= std::min(open_silent_at_, open_until_),
           "a second pull while one is open");
}

void ModelSource::OnFrames(int connection, std::vector<Frame> frames) {
  // Sent to a connection that the server still takes for alive.
  if (connection_ == nullptr || connection_->number != connection) {
    for (const Frame& frame : frames) {
      if (frame.attempt != nullptr) witness_->OnSentToTheDead(*frame.attempt);
    }
    return;
  }
  // Not always in one piece.
  while (frames.size() > 1 && dice_.Chance(0.3)) {
    const auto middle = frames.begin() + dice_.Between(1, frames.size() - 1);
    std::vector<Frame> rest(std::make_move_iterator(middle), std::make_move_iterator(frames.end()));
    frames.erase(middle, frames.end());
    Down([this, frame = ++frames_sent_, piece = std::move(frames)]() mutable {
      if (frame > unsubscribed_drops_) Receive(std::move(piece));
    });
    frames = std::move(rest);
  }
  Down([this, frame = ++frames_sent_, frames = std::move(frames)]() mutable {
    if (frame > unsubscribed_drops_) Receive(std::move(frames));
  });
}

void ModelSource::Receive(std::vector<Frame> frames) {
  if (intake_closed_) return;
  std::vector<core::Message> batch;
  auto hand_over = [&] {
    if (!batch.empty()) listener_->OnMessages(absl::MakeSpan(batch));
    batch.clear();
  };
  for (const Frame& frame : frames) {
    open_silent_at_ = timers_->now() + 2 * open_heartbeat_;
    if (const Attempt* attempt = frame.attempt) {
      if (open_left_ > 0) --open_left_;
      witness_->OnReceived(*attempt);
      batch.push_back(MakeMessage(*attempt, server_->message(attempt->stream_sequence)));
      continue;
    }
    hand_over();
    const core::PullStatus& status = frame.status;
    if (status.kind != core::PullStatus::Kind::kHeartbeat && status.pull_id == open_pull_) OnPullEnded(status);
    witness_->OnPullStatus(options_.owner, status.kind);
    listener_->OnPullStatus(status);
  }
  hand_over();
}

// What the server counts as sent is still to come, but not for long.
void ModelSource::OnPullEnded(const core::PullStatus& status) {
  open_left_ -= std::min(open_left_, status.unsent.value_or(open_left_));
  open_until_ = std::min(open_until_, timers_->now() + absl::Milliseconds(400));
}

void ModelSource::CheckUse(bool rule, absl::string_view what) {
  if (!rule) witness_->OnMisuse(options_.owner, what);
}

}  // namespace sluice::test
