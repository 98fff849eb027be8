#include "test/support/model_jetstream.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sluice::test {

using core::PullStatus;
using core::Verdict;

ModelJetStream::ModelJetStream(base::Timers* timers, Options options, Witness* witness)
    : timers_(timers),
      options_(std::move(options)),
      witness_(witness),
      dice_(options_.seed),
      pin_(timers, options_.consumer.priority_timeout, [this] { Pump(); }),
      check_(timers) {}

// ----------------------------------------------------------------------------------------------------------
// connections

int ModelJetStream::Connect(Client* client) {
  connections_.emplace(++last_connection_, Connection{client, false, {}});
  return last_connection_;
}

void ModelJetStream::Disconnect(int connection) {
  connections_.erase(connection);
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.connection == connection; });
}

void ModelJetStream::Subscribe(int connection) {
  if (Connection* found = FindConnection(connection)) found->subscribed = true;
}

void ModelJetStream::Unsubscribe(int connection) {
  if (Connection* found = FindConnection(connection)) found->subscribed = false;
  for (Waiting& waiting : waiting_) waiting.stale |= waiting.connection == connection;
  if (!options_.stale_waiters) std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.stale; });
}

ModelJetStream::Connection* ModelJetStream::FindConnection(int connection) {
  auto it = connections_.find(connection);
  return it == connections_.end() ? nullptr : &it->second;
}

// ----------------------------------------------------------------------------------------------------------------
// pulls

void ModelJetStream::Pull(int connection, const core::PullRequest& request) {
  timers_->After(dice_.Between(absl::ZeroDuration(), options_.most_pull_queueing),
                 [this, connection, request] { LookAt(connection, request); });
}

void ModelJetStream::LookAt(int connection, const core::PullRequest& request) {
  if (!running_) return;
  const bool silent = !exists_ && dice_.Chance(0.5);  // 2.9 says nothing, 2.10 says 503
  if (silent) return;
  if (!exists_ || !leading()) return SendStatus(connection, request.id, PullStatus::Kind::kNoResponders);
  const Connection* found = FindConnection(connection);
  if (found == nullptr) return;
  if (!found->subscribed) {
    if (options_.unsub_defect) DeliverToNobody(request.batch);
    return;
  }
  if (auto refusal = Refusal(request)) return SendStatus(connection, request.id, *refusal);
  if (!pin_.Admit(request.pin_id)) return SendStatus(connection, request.id, PullStatus::Kind::kWrongPin);
  if (waiting_.size() >= options_.max_waiting) return;  // without a word, if it has a heartbeat
  const uint64_t number = ++last_waiting_;
  waiting_.push_back({number, connection, request, request.batch, request.max_bytes, now()});
  timers_->After(request.expires, [this, number] { Expire(number); });
  if (request.heartbeat > absl::ZeroDuration()) {
    timers_->After(request.heartbeat, [this, number] { Heartbeat(number); });
  }
  Pump();
}

void ModelJetStream::RenewPin(int connection, std::string pin_id, uint64_t id) {
  timers_->After(dice_.Between(absl::ZeroDuration(), options_.most_pull_queueing),
                 [this, connection, pin_id = std::move(pin_id), id] {
                   if (!exists_ || !leading()) return;
                   const bool admitted = pin_.Admit(pin_id);
                   SendStatus(connection, id, admitted ? PullStatus::Kind::kExpired : PullStatus::Kind::kWrongPin);
                   Pump();
                 });
}

bool ModelJetStream::Unpin() {
  if (!leading() || !exists_) return false;
  pin_.End();
  Pump();
  return true;
}

// Who takes the next message: in turn, but for those that are not pinned.
std::optional<ModelJetStream::Waiting> ModelJetStream::NextWaiting() {
  for (size_t passed = 0; passed < waiting_.size();) {
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    switch (pin_.Judge(waiting.connection, waiting.request)) {
      case ModelPin::Turn::kTakes:
        return waiting;
      case ModelPin::Turn::kPasses:
        waiting_.push_back(std::move(waiting));
        ++passed;
        break;
      case ModelPin::Turn::kWrongPin:
        SendStatus(waiting.connection, waiting.request.id, PullStatus::Kind::kWrongPin, waiting.batch_left);
        break;
    }
  }
  return std::nullopt;
}

std::optional<PullStatus::Kind> ModelJetStream::Refusal(const core::PullRequest& request) {
  const core::ConsumerInfo& limits = options_.consumer;
  if (refuse_pulls_ > 0) {
    --refuse_pulls_;
    return refuse_kind_;
  }
  if (request.batch == 0 || request.expires <= absl::ZeroDuration() || request.heartbeat * 2 > request.expires) {
    return PullStatus::Kind::kBadRequest;
  }
  const bool over =
      (limits.max_request_batch > 0 && request.batch > limits.max_request_batch) ||
      (limits.max_request_max_bytes > 0 && request.max_bytes > static_cast<uint64_t>(limits.max_request_max_bytes)) ||
      (limits.max_request_expires > absl::ZeroDuration() && request.expires > limits.max_request_expires);
  if (over) return PullStatus::Kind::kLimitExceeded;
  return std::nullopt;
}

void ModelJetStream::SendStatus(int connection, uint64_t pull_id, PullStatus::Kind kind,
                                std::optional<uint64_t> unsent) {
  Connection* found = FindConnection(connection);
  if (found == nullptr || !found->subscribed) return;
  const std::string text = absl::StrCat("model status ", static_cast<int>(kind));
  found->client->OnFrames(connection, {{nullptr, {kind, pull_id, unsent, text}}});
}

void ModelJetStream::Heartbeat(uint64_t waiting_number) {
  for (const Waiting& waiting : waiting_) {
    if (waiting.number != waiting_number) continue;
    const absl::Duration heartbeat = waiting.request.heartbeat;
    if (leading() && !waiting.stale && now() - waiting.last_sent >= heartbeat) {
      SendStatus(waiting.connection, waiting.request.id, PullStatus::Kind::kHeartbeat);
    }
    timers_->After(heartbeat, [this, waiting_number] { Heartbeat(waiting_number); });
    return;
  }
}

void ModelJetStream::Expire(uint64_t waiting_number) {
  auto it = std::find_if(waiting_.begin(), waiting_.end(),
                         [&](const Waiting& waiting) { return waiting.number == waiting_number; });
  if (it == waiting_.end() || it->stale) return;
  const Waiting expired = *it;
  waiting_.erase(it);
  // Unlike the other statuses it waits for the messages before it.
  timers_->At(std::max(now(), replicated_at_), [this, expired] {
    SendStatus(expired.connection, expired.request.id, PullStatus::Kind::kExpired, expired.batch_left);
  });
}

void ModelJetStream::EndWaiting(PullStatus::Kind kind, double told) {
  std::deque<Waiting> ended;
  ended.swap(waiting_);
  for (const Waiting& waiting : ended) {
    if (dice_.Chance(told)) SendStatus(waiting.connection, waiting.request.id, kind);
  }
}

// -----------------------------------------------------------------------------------------------------------
// deliveries

uint64_t ModelJetStream::Publish(std::string subject, std::string data) {
  stream_.push_back({stream_.size() + 1, std::move(subject), std::move(data), now()});
  settled_.push_back(false);
  ++unsettled_;
  Pump();
  return stream_.size();
}

// Redeliveries go first, and are not held up by max_ack_pending.
std::optional<uint64_t> ModelJetStream::NextSequence() {
  if (!redelivery_.empty()) return redelivery_.front();
  const int64_t limit = options_.consumer.max_ack_pending;
  if (limit > 0 && pending_.size() >= static_cast<size_t>(limit)) return std::nullopt;
  while (next_sequence_ <= stream_.size() && settled_[next_sequence_ - 1]) ++next_sequence_;
  if (next_sequence_ > stream_.size()) return std::nullopt;
  return next_sequence_;
}

void ModelJetStream::Pump() {
  if (!exists_ || !leading() || now() < paused_until_) return;
  while (!waiting_.empty()) {
    const std::optional<uint64_t> sequence = NextSequence();
    if (!sequence) break;
    const bool nobody_pinned = pin_.id().empty();
    std::optional<Waiting> next_waiting = NextWaiting();
    if (!next_waiting) {
      // It was taken out of the queue, and is put behind it.
      if (!redelivery_.empty()) std::rotate(redelivery_.begin(), redelivery_.begin() + 1, redelivery_.end());
      break;
    }
    Waiting waiting = *std::move(next_waiting);
    if (waiting.stale) {
      if (!redelivery_.empty()) SendNext(*sequence, 0);
      continue;
    }
    Connection& connection = *FindConnection(waiting.connection);
    // The server counts the reply subject as well; its length here is that of any.
    const StoredMessage& next = message(*sequence);
    const uint64_t size = next.subject.size() + next.data.size() + 64;
    if (waiting.request.max_bytes > 0 && size > waiting.bytes_left) {
      if (nobody_pinned) pin_.End();
      connection.out.push_back(
          {nullptr, {PullStatus::Kind::kMessageTooLarge, waiting.request.id, waiting.batch_left, "too large"}});
      continue;
    }
    connection.out.push_back({&SendNext(*sequence, waiting.connection), {}});
    waiting.last_sent = now();
    waiting.bytes_left -= waiting.request.max_bytes > 0 ? size : 0;
    --waiting.batch_left;
    const bool full = waiting.request.max_bytes > 0 && waiting.bytes_left == 0;
    if (waiting.batch_left == 0 && waiting.bytes_left > 0) {
      connection.out.push_back({nullptr, {PullStatus::Kind::kExpired, waiting.request.id, 0, "batch completed"}});
    }
    if (waiting.batch_left > 0 && !full) waiting_.push_back(std::move(waiting));
  }
  for (auto& [number, connection] : connections_) {
    if (connection.out.empty()) continue;
    std::vector<Frame> frames;
    frames.swap(connection.out);
    SendOut(number, std::move(frames));
  }
}

// What a leader has not sent when it steps down is never sent.
void ModelJetStream::SendOut(int connection, std::vector<Frame> frames) {
  if (options_.most_replication > absl::ZeroDuration()) {
    const auto held_back = std::stable_partition(frames.begin(), frames.end(),
                                                 [](const Frame& frame) { return frame.attempt == nullptr; });
    std::vector<Frame> later(held_back, frames.end());
    frames.erase(held_back, frames.end());
    replicated_at_ = std::max(replicated_at_, now() + dice_.Between(absl::ZeroDuration(), options_.most_replication));
    timers_->At(replicated_at_, [this, connection, term = term_, later = std::move(later)] {
      Connection* found = FindConnection(connection);
      if (term != term_) {
        for (const Frame& frame : later) witness_->OnSentToTheDead(*frame.attempt);
      } else if (found != nullptr && found->subscribed) {
        found->client->OnFrames(connection, later);
      }
    });
  }
  if (!frames.empty()) FindConnection(connection)->client->OnFrames(connection, std::move(frames));
}

const Attempt& ModelJetStream::SendNext(uint64_t stream_sequence, int connection) {
  if (!redelivery_.empty()) {
    redelivery_.pop_front();
  } else {
    next_sequence_ = stream_sequence + 1;
  }
  Attempt attempt;
  attempt.number = attempts_.size();
  attempt.stream_sequence = stream_sequence;
  attempt.consumer_sequence = ++last_consumer_sequence_;
  attempt.num_delivered = ++num_delivered_[stream_sequence];
  attempt.num_pending = stream_.size() + 1 - next_sequence_;
  attempt.incarnation = incarnation_;
  attempt.connection = connection;
  attempt.owner = connection == 0 ? 0 : FindConnection(connection)->client->owner();
  attempt.sent = now();
  attempt.pin_id = pin_.id();
  // The place of the time stamp carries the number of the attempt: to core it is opaque.
  attempt.reply = absl::StrCat("$JS.ACK.S.C.", attempt.num_delivered, ".", stream_sequence, ".",
                               attempt.consumer_sequence, ".", attempt.number, ".", attempt.num_pending);
  const Attempt& kept = attempts_.emplace_back(std::move(attempt));
  Pending& pending = pending_[stream_sequence];
  pending = {&kept, now()};
  ArmCheck(AckDeadline(pending));
  witness_->OnSent(kept);
  return kept;
}

void ModelJetStream::DeliverToNobody(uint64_t most) {
  if (!exists_ || now() < paused_until_) return;
  for (uint64_t count = 0; count < most; ++count) {
    const std::optional<uint64_t> sequence = NextSequence();
    if (!sequence) return;
    SendNext(*sequence, 0);
  }
}

// -------------------------------------------------------------------------------------------------------------
// verdicts

const Attempt& ModelJetStream::FindAttempt(absl::string_view reply) const {
  const std::vector<absl::string_view> tokens = absl::StrSplit(reply, '.');
  uint64_t number = 0;
  if (tokens.size() != 9 || !absl::SimpleAtoi(tokens[7], &number) || number >= attempts_.size()) {
    std::abort();  // core made up a reply subject
  }
  return attempts_[number];
}

// JetStream goes by the stream sequence and not by the attempt: a late ACK acks the newer attempt, a late NAK takes it
// from its holder.
bool ModelJetStream::Settle(absl::string_view reply, const core::Settlement& settlement) {
  const Attempt& by = FindAttempt(reply);
  if (!leading() || !exists_) {
    witness_->OnVerdictLost(by);
    return false;
  }
  const bool finishes = settlement.verdict == Verdict::kAck || settlement.verdict == Verdict::kTerm;
  if (options_.ack_all && finishes) {
    FinishUpTo(by, settlement);
    Pump();
    return true;
  }
  auto it = pending_.find(by.stream_sequence);
  if (it == pending_.end()) return true;
  const uint64_t as = settlement.as_consumer_sequence > 0 ? settlement.as_consumer_sequence : by.consumer_sequence;
  const bool is_old = options_.ack_all && as <= consumer_floor_;
  if (is_old && settlement.verdict == Verdict::kNak) return true;  // it takes it for one
  Pending& pending = it->second;
  switch (settlement.verdict) {
    case Verdict::kAck:
    case Verdict::kTerm:
      Finish(by.stream_sequence);
      witness_->OnSettled(by, settlement.verdict);
      break;
    case Verdict::kNak:
      witness_->OnNaked(by, *pending.attempt);
      if (settlement.nak_delay > absl::ZeroDuration()) {
        pending.since = now() - options_.consumer.ack_wait + settlement.nak_delay;
        ArmCheck(AckDeadline(pending));
      } else if (!pending.queued) {
        Requeue(by.stream_sequence, pending);
      }
      break;
    case Verdict::kInProgress:
      pending.since = now();
      break;
  }
  Pump();
  return true;
}

// ack_policy: all. The server takes for old what does not lie above the last one by both sequences.
void ModelJetStream::FinishUpTo(const Attempt& by, const core::Settlement& settlement) {
  const uint64_t as = settlement.as_consumer_sequence > 0 ? settlement.as_consumer_sequence : by.consumer_sequence;
  if (as <= consumer_floor_ || by.stream_sequence <= floor_) return;
  consumer_floor_ = as;
  floor_ = by.stream_sequence;
  while (!pending_.empty() && pending_.begin()->first <= floor_) {
    const Attempt& settled = *pending_.begin()->second.attempt;
    Finish(settled.stream_sequence);
    witness_->OnSettledUpTo(by, settled);
  }
}

void ModelJetStream::Finish(uint64_t stream_sequence) {
  auto it = pending_.find(stream_sequence);
  if (it->second.queued) std::erase(redelivery_, stream_sequence);
  pending_.erase(it);
  num_delivered_.erase(stream_sequence);
  settled_[stream_sequence - 1] = true;
  --unsettled_;
}

void ModelJetStream::Requeue(uint64_t stream_sequence, Pending& pending) {
  const int64_t most = options_.consumer.max_deliver;
  if (most > 0 && pending.attempt->num_delivered >= static_cast<uint64_t>(most)) {
    const Attempt& last = *pending.attempt;
    pending_.erase(stream_sequence);
    exhausted_.insert(stream_sequence);
    --unsettled_;
    witness_->OnExhausted(last);
    if (when_exhausted_) when_exhausted_(last);
    return;
  }
  pending.queued = true;
  redelivery_.push_back(stream_sequence);
}

absl::Time ModelJetStream::AckDeadline(const Pending& pending) const {
  return pending.since + options_.consumer.AckWait(pending.attempt->num_delivered);
}

void ModelJetStream::ArmCheck(absl::Time due) {
  if (due >= check_at_) return;
  check_at_ = due;
  check_.SetAt(due, [this] { CheckPending(); });
}

void ModelJetStream::CheckPending() {
  check_at_ = absl::InfiniteFuture();
  if (!running_) return;  // Restart() and ChangeLeader() check again when they are over
  if (!leading()) return ArmCheck(leaderless_until_);
  std::vector<uint64_t> over;
  absl::Time next = absl::InfiniteFuture();
  for (auto& [sequence, pending] : pending_) {
    if (pending.queued) continue;
    const absl::Time deadline = AckDeadline(pending);
    if (deadline <= now()) {
      over.push_back(sequence);
    } else {
      next = std::min(next, deadline);
    }
  }
  for (uint64_t sequence : over) {
    Pending& pending = pending_[sequence];
    witness_->OnAckWaitOver(*pending.attempt);
    Requeue(sequence, pending);
  }
  ArmCheck(next);
  Pump();
}

// -----------------------------------------------------------------------------------------------------------
// management

std::optional<absl::StatusOr<core::ConsumerInfo>> ModelJetStream::Attach(bool managed) {
  if (!leading()) return std::nullopt;
  if (refuse_attach_ > 0) {
    --refuse_attach_;
    return refuse_attach_status_;
  }
  if (!exists_ && managed) CreateConsumer();
  if (!exists_) return absl::NotFoundError("consumer not found");
  return info();
}

std::optional<absl::StatusOr<core::ConsumerInfo>> ModelJetStream::Info() {
  if (!leading()) return std::nullopt;
  if (!exists_) return absl::NotFoundError("consumer not found");
  std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.stale; });
  return info();
}

core::ConsumerInfo ModelJetStream::info() const {
  core::ConsumerInfo info = options_.consumer;
  info.paused_until = paused_until_;
  info.num_pending = stream_.size() + 1 - next_sequence_;
  info.num_ack_pending = pending_.size();
  info.delivered_consumer_sequence = last_consumer_sequence_;
  info.delivered_stream_sequence = next_sequence_ - 1;
  info.pinned_client_id = pin_.id();
  info.created_ns = static_cast<int64_t>(incarnation_);
  const uint64_t unsettled = pending_.empty() ? next_sequence_ : std::min(pending_.begin()->first, next_sequence_);
  info.ack_floor = options_.ack_all ? floor_ : unsettled - 1;
  info.ack_floor_consumer_sequence = consumer_floor_;
  return info;
}

std::vector<const Attempt*> ModelJetStream::outstanding() const {
  std::vector<const Attempt*> attempts;
  for (const auto& [sequence, pending] : pending_) attempts.push_back(pending.attempt);
  return attempts;
}

bool ModelJetStream::IsPinned(int owner) const {
  auto it = connections_.find(pin_.connection());
  return it != connections_.end() && it->second.client->owner() == owner;
}

const Attempt* ModelJetStream::pending(uint64_t stream_sequence) const {
  auto it = pending_.find(stream_sequence);
  return it == pending_.end() ? nullptr : it->second.attempt;
}

void ModelJetStream::DeleteConsumer() {
  if (!exists_) return;
  exists_ = false;
  pin_.End();
  pending_.clear();
  redelivery_.clear();
  num_delivered_.clear();
  EndWaiting(PullStatus::Kind::kConsumerDeleted, 1.0);
}

void ModelJetStream::CreateConsumer() {
  if (exists_) return;
  exists_ = true;
  ++incarnation_;
  next_sequence_ = 1;
  last_consumer_sequence_ = floor_ = consumer_floor_ = 0;
  unsettled_ += exhausted_.size();
  exhausted_.clear();
}

// --------------------------------------------------------------------------------------------------------------
// mishaps

void ModelJetStream::ChangeLeader(absl::Duration leaderless) {
  if (!running_) return;
  ++term_;
  pin_.End();
  EndWaiting(PullStatus::Kind::kLeadershipChange, 0.5);
  leaderless_until_ = std::max(leaderless_until_, now() + leaderless);
  timers_->At(leaderless_until_, [this] { CheckPending(); });
}

void ModelJetStream::Restart(absl::Duration down) {
  if (!running_) return;
  ++term_;
  pin_.End();
  EndWaiting(PullStatus::Kind::kServerShutdown, 0.5);
  running_ = false;
  std::map<int, Connection> gone;
  gone.swap(connections_);
  for (auto& [number, connection] : gone) connection.client->OnServerGone();
  timers_->After(down, [this] {
    running_ = true;
    CheckPending();
  });
}

void ModelJetStream::Pause(absl::Time until) {
  paused_until_ = until;
  timers_->At(until, [this] { Pump(); });
}

void ModelJetStream::RefusePulls(PullStatus::Kind kind, int count) {
  refuse_kind_ = kind;
  refuse_pulls_ = count;
}

void ModelJetStream::RefuseAttach(absl::Status status, int count) {
  refuse_attach_status_ = std::move(status);
  refuse_attach_ = count;
}

}  // namespace sluice::test
