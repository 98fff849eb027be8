// What outlives a daemon process: deliveries that apps bring back by token, after the daemon that gave them was killed.
// One that is adopted is foreign: of its message only the ack subject is here, so it can be settled, extended and
// NAKed, but not handed to another app. Its app has it, so it counts against the credit and holds up its key.
//
// It is in doubt from the start if JetStream may have delivered the message to somebody else: the ack wait as of its
// token is over, and the other daemon may have extended it or not; or that daemon did not simply die, but may have
// given the message back in a drain. Then an ACK is forwarded, a NAK or TERM is not. That ends when JetStream delivers
// it again to this daemon: then the app, which is at it, goes on for that delivery.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "core/consumer.h"

namespace sluice::core {
namespace {

// How long an app that brings tokens waits for its `Opened` until the server has told of the durable; the client gives
// up after 10 s.
constexpr absl::Duration kAwaitInfo = absl::Seconds(5);

constexpr char kNoTokens[] = "this daemon gives no tokens";
constexpr char kDraining[] = "the daemon is draining, and takes over nothing any more";
constexpr char kNotReached[] = "the durable cannot be looked at, so it is unknown whether the token still holds";
constexpr char kMadeAnew[] = "the durable was made anew since; what it delivered before no longer counts";
constexpr char kSettled[] = "JetStream has it as settled";
constexpr char kNotHeld[] = "it was settled or given back, or another app has it";
constexpr char kDeliveredAgain[] = "JetStream has delivered it again, and another app has it";
constexpr char kTooMany[] = "the daemon holds too many messages";

// All that there is of a foreign message.
struct Kept {
  std::string reply;
  std::string key;
};

}  // namespace

// --- tokens are given ---

absl::string_view Consumer::Seal(const Delivery& delivery, std::string* sealed) {
  if (tokens_ == nullptr) return "";
  const Message& message = delivery.message;
  sealing_.consumer_created_ns = delivery.consumer_created_ns;
  sealing_.instance = tokens_->instance();
  sealing_.id = delivery.id;
  sealing_.reply.assign(message.reply.data(), message.reply.size());
  sealing_.numbers_at = message.numbers_at;
  sealing_.stream_sequence = message.stream_sequence;
  sealing_.consumer_sequence = message.consumer_sequence;
  sealing_.num_delivered = message.num_delivered;
  sealing_.num_pending = message.num_pending;
  sealing_.timestamp_ns = message.timestamp_ns;
  sealing_.ack_deadline = delivery.ack_deadline;
  sealing_.bytes = delivery.bytes;
  sealing_.has_key = lanes_ != nullptr && delivery.key.size() <= DeliveryToken::kMostKey;
  if (sealing_.has_key) sealing_.key.assign(delivery.key.data(), delivery.key.size());
  tokens_->Seal(sealing_, sealed);
  return *sealed;
}

absl::string_view Consumer::SealForFrame(const Delivery& delivery, size_t place) {
  while (frame_tokens_.size() <= place) frame_tokens_.emplace_back();
  return Seal(delivery, &frame_tokens_[place]);
}

// --- tokens come back ---

std::vector<Consumer::Claim> Consumer::ReadTokens(const OpenRequest& request) const {
  std::vector<Claim> claims;
  claims.reserve(request.tokens.size());
  for (const HeldToken& held : request.tokens) {
    if (tokens_ == nullptr) {
      claims.push_back({held.held_id, absl::FailedPreconditionError(kNoTokens)});
    } else {
      claims.push_back({held.held_id, tokens_->Open(held.token)});
    }
  }
  return claims;
}

// The deliveries of this daemon that are named, by id or by a token: one of its own, or one that it has adopted for a
// stream whose `Opened` did not arrive.
std::vector<uint64_t> Consumer::Named(const OpenRequest& request, const std::vector<Claim>& claims) const {
  std::vector<uint64_t> named = request.resume;
  for (const Claim& claim : claims) {
    if (!claim.token.ok()) continue;
    const DeliveryToken& token = *claim.token;
    if (token.instance == tokens_->instance()) {
      named.push_back(token.id);
    } else if (const auto it = adopted_.find(token.stream_sequence); it != adopted_.end()) {
      if (CheckToken(token).ok()) named.push_back(it->second->id);
    }
  }
  return named;
}

// Whether a token of another process still holds is for the server's word on the durable to say, which is there
// within milliseconds, if NATS is.
void Consumer::Welcome(Session* session, const OpenRequest& request, std::vector<Claim> claims) {
  const bool foreign = std::any_of(claims.begin(), claims.end(), [this](const Claim& claim) {
    return claim.token.ok() && claim.token->instance != tokens_->instance();
  });
  if (foreign && !intake_.info_known() && !drain_.active()) {
    auto [it, inserted] = waiting_opens_.try_emplace(session->number(), timers_);
    it->second.request = request;
    it->second.claims = std::move(claims);
    it->second.timeout.SetAfter(kAwaitInfo, [this, number = session->number()] {
      Admit(number);
      Pump();
    });
    return;
  }
  OpenedNotice opened;
  Adopt(session, std::move(claims), &opened);
  TellOpened(session, request, std::move(opened));
}

void Consumer::Admit(uint64_t number) {
  auto waiting = waiting_opens_.extract(number);
  if (waiting.empty()) return;
  Session* session = sessions_.at(number).get();
  OpenedNotice opened;
  Adopt(session, std::move(waiting.mapped().claims), &opened);
  TellOpened(session, waiting.mapped().request, std::move(opened));
}

void Consumer::AdmitWaiting() {
  while (!waiting_opens_.empty()) Admit(waiting_opens_.begin()->first);
}

// Of two attempts at one message the later one's token is the better one.
std::vector<Consumer::Claim> Consumer::LatestAttemptsFirst(std::vector<Claim> claims) {
  const auto attempt = [](const Claim& claim) { return claim.token.ok() ? claim.token->num_delivered : 0; };
  std::stable_sort(claims.begin(), claims.end(),
                   [&](const Claim& a, const Claim& b) { return attempt(a) > attempt(b); });
  return claims;
}

void Consumer::Adopt(Session* session, std::vector<Claim> claims, OpenedNotice* opened) {
  if (claims.empty()) return;
  const size_t brought = claims.size();
  absl::flat_hash_map<uint64_t, Delivery*> here;  // by stream sequence: the latest attempt at each
  for (Delivery* delivery : in_flight_.All()) {
    Delivery*& latest = here[delivery->stream_sequence()];
    if (latest == nullptr || latest->message.num_delivered < delivery->message.num_delivered) latest = delivery;
  }
  uint64_t in_doubt = 0;
  for (const Claim& claim : LatestAttemptsFirst(std::move(claims))) {
    const absl::StatusOr<Delivery*> delivery =
        claim.token.ok() ? FindOrAdopt(session, *claim.token, &here) : claim.token.status();
    if (!delivery.ok()) {
      opened->refused.push_back({claim.held_id, std::string(delivery.status().message())});
      continue;
    }
    in_doubt += (*delivery)->in_doubt;
    if ((*delivery)->id == claim.held_id) {
      opened->resumed.push_back(claim.held_id);
    } else {
      opened->adopted.push_back({claim.held_id, (*delivery)->id});
    }
  }
  base::LogInfo("an app came back with tokens", {{"consumer", options_.name},
                                                 {"client", session->client_id()},
                                                 {"resumed", brought - opened->refused.size()},
                                                 {"in_doubt", in_doubt},
                                                 {"refused", opened->refused.size()}});
}

absl::StatusOr<Delivery*> Consumer::FindOrAdopt(Session* session, const DeliveryToken& token,
                                                absl::flat_hash_map<uint64_t, Delivery*>* here) {
  const auto is_with = [session](const Delivery* delivery) {
    using State = Delivery::State;
    return delivery != nullptr && delivery->session == session &&
           (delivery->state == State::kHeld || delivery->state == State::kExpired);
  };
  if (token.instance == tokens_->instance()) {
    Delivery* delivery = in_flight_.Find(token.id);
    if (!is_with(delivery)) return absl::NotFoundError(kNotHeld);
    return delivery;
  }
  if (absl::Status status = CheckToken(token); !status.ok()) return status;
  Delivery*& delivery = (*here)[token.stream_sequence];
  if (is_with(delivery)) return delivery;
  if (drain_.active()) return absl::UnavailableError(kDraining);
  if (delivery == nullptr) {
    const bool settled = floor_ != nullptr && floor_->KnowsAll() && !floor_->IsOutstanding(token.stream_sequence);
    if (settled) return absl::NotFoundError(kSettled);
    if (in_flight_.size() + OpenRequest::kMaxBatch > InFlight::kMaxSize) return absl::ResourceExhaustedError(kTooMany);
    delivery = MakeForeign(token);
    if (token.has_key && lanes_ != nullptr) Occupy(delivery, delivery->key);
    leases_.Adopt(delivery);
    adopted_.emplace(token.stream_sequence, delivery);
  } else if (delivery->state == Delivery::State::kFinished) {
    return absl::NotFoundError(kSettled);
  } else if (delivery->state == Delivery::State::kHeld || delivery->state == Delivery::State::kExpired) {
    return absl::AlreadyExistsError(kDeliveredAgain);
  } else {
    // Delivered again, and no app has seen that: the app that has the message goes on for it.
    Unlink(delivery);
    const bool is_head = delivery->lane != nullptr && delivery->lane->head == delivery;
    if (lanes_ != nullptr && !is_head) Occupy(delivery, options_.key.KeyOf(delivery->message));
    leases_.Restart(delivery);
  }
  PutWithApp(session, delivery);
  return delivery;
}

absl::Status Consumer::CheckToken(const DeliveryToken& token) const {
  if (token.stream != options_.stream || token.durable != options_.durable) {
    return absl::InvalidArgumentError(absl::StrCat("it is of the durable '", token.durable, "' of the stream '",
                                                   token.stream, "', and not of '", options_.durable, "' of '",
                                                   options_.stream, "'"));
  }
  if (!intake_.info_known()) return absl::UnavailableError(kNotReached);
  if (token.consumer_created_ns != intake_.info().created_ns) return absl::FailedPreconditionError(kMadeAnew);
  const bool acked = floor_ != nullptr && floor_->IsSettled(token.stream_sequence);
  if (acked || token.stream_sequence <= intake_.info().ack_floor) return absl::NotFoundError(kSettled);
  return absl::OkStatus();
}

Delivery* Consumer::MakeForeign(const DeliveryToken& token) {
  auto* kept = new Kept{token.reply, token.key};
  Message message;
  message.owner = {kept, [](void* owner) { delete static_cast<Kept*>(owner); }};
  message.reply = kept->reply;
  message.stream_sequence = token.stream_sequence;
  message.consumer_sequence = token.consumer_sequence;
  message.num_delivered = token.num_delivered;
  message.num_pending = token.num_pending;
  message.timestamp_ns = token.timestamp_ns;
  Delivery* delivery = in_flight_.Add(std::move(message));
  delivery->bytes = token.bytes;
  delivery->key = kept->key;
  delivery->foreign = true;
  delivery->consumer_created_ns = token.consumer_created_ns;
  delivery->ack_wait = intake_.info().AckWait(token.num_delivered);
  // A deadline beyond the ack wait is of another clock.
  const absl::Time now = timers_->now();
  const bool in_time = token.ack_deadline > now && token.ack_deadline <= now + delivery->ack_wait;
  delivery->in_doubt = !in_time || naked_.contains(token.stream_sequence) || !tokens_->crashed(token.instance);
  delivery->ack_deadline = delivery->in_doubt ? now + delivery->ack_wait : token.ack_deadline;
  delivery->state = Delivery::State::kReleasing;  // in no list
  return delivery;
}

void Consumer::PutWithApp(Session* session, Delivery* delivery) {
  delivery->state = Delivery::State::kHeld;
  ++held_;
  session->Adopt(delivery);
  if (drain_.active()) Await(delivery);
}

// `key` lives as long as the delivery.
void Consumer::Occupy(Delivery* delivery, absl::string_view key) {
  Delivery* head = lanes_->Occupy(delivery, key);
  if (head == nullptr) return;
  Unlink(head);
  Defer(head);
}

// --- what becomes of foreign deliveries ---

// JetStream has delivered again what an app has: it keeps it, and its verdict goes to the newer delivery.
bool Consumer::Merge(Message& message, absl::Time sent) {
  const auto it = adopted_.find(message.stream_sequence);
  if (it == adopted_.end()) return false;
  Delivery* delivery = it->second;
  // A durable that was made anew counts from 1 again, and comes past any number.
  const bool made_anew = delivery->consumer_created_ns != intake_.info().created_ns;
  if (made_anew || message.num_delivered <= delivery->message.num_delivered) {
    adopted_.erase(it);
    return false;
  }
  leases_.Remove(delivery);
  delivery->message = std::move(message);
  delivery->key = lanes_ == nullptr ? absl::string_view() : options_.key.KeyOf(delivery->message);
  delivery->in_doubt = false;
  delivery->ack_wait = intake_.info().AckWait(delivery->message.num_delivered);
  leases_.Add(delivery, sent);
  return true;
}

// Its app may bring the token once more.
void Consumer::NoteNaked(const Delivery& delivery) {
  absl::erase_if(naked_, [now = timers_->now()](const auto& entry) { return entry.second < now; });
  naked_[delivery.stream_sequence()] = delivery.ack_deadline;
}

// To JetStream, also with ordering: key; its successors wait until it has come again.
void Consumer::NakForeign(Delivery* delivery, absl::Duration asked) {
  NoteNaked(*delivery);
  if (delivery->lane != nullptr && GivesBack()) {
    // To the pod that takes over, which waits for it: no delay.
    Unlink(delivery);
    lanes_->LeaveReturning(delivery);
    releasing_.PushBack(delivery);
    return;
  }
  const bool cut_short = delivery->lane != nullptr && drain_.active();
  const absl::Duration wait = redelivery_.DelayAfter(delivery->attempt(), asked, intake_.info().max_ack_pending);
  const absl::Duration delay = cut_short ? absl::ZeroDuration() : CapDelay(*delivery, wait);
  if (delay == absl::ZeroDuration() && drain_.nak_would_bounce()) {
    Unlink(delivery);
    if (delivery->lane != nullptr) lanes_->Leave(delivery);
    releasing_.PushBack(delivery);
    return;
  }
  if (delivery->lane != nullptr) lanes_->LeaveAbsent(delivery, timers_->now() + delay);
  SendNak(delivery, delay);
}

// A NAK could take it from its next holder, or be the end of it: it waits for its ack wait.
void Consumer::Forsake(Delivery* delivery) {
  if (drain_.active() && !delivery->in_doubt) NameUnsettled(*delivery);
  if (delivery->state == Delivery::State::kHeld) Tally(delivery->session, &DrainReport::expired);
  if (delivery->lane != nullptr) lanes_->LeaveAbsent(delivery, delivery->ack_deadline);
  Remove(delivery);
}

}  // namespace sluice::core
