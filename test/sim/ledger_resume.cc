// Crash resume: deliveries that apps bring back by token. An attempt that was adopted has another daemon from then on,
// and everything that holds for a daemon's own deliveries holds for it.
//
// Mutations that this has caught are named at the rules.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

using core::Verdict;

namespace {

// What a verdict takes to the server.
constexpr absl::Duration kOnItsWay = absl::Milliseconds(100);

}  // namespace

int Ledger::OwnerOf(const Attempt& attempt) const {
  const int adopter = fates_[attempt.number].adopter;
  return adopter != 0 ? adopter : attempt.owner;
}

// The one that its token speaks of.
const Attempt* Ledger::AttemptOf(const core::OpenRequest& request, uint64_t held_id) const {
  const Attempt* latest = nullptr;  // of several attempts at its message that the app names alike
  for (const core::HeldToken& held : request.tokens) {
    const core::DeliveryToken* token = held.held_id == held_id ? book_->Find(held.token) : nullptr;
    if (token == nullptr) continue;
    const Attempt& attempt = server_->FindAttempt(token->reply);
    if (latest == nullptr || latest->num_delivered < attempt.num_delivered) latest = &attempt;
  }
  return latest;
}

// What this daemon is asked to keep of its own: by id, or by a token that it gave itself.
std::set<uint64_t> Ledger::OwnIds(const StreamRecord& record) const {
  std::set<uint64_t> ids(record.request.resume.begin(), record.request.resume.end());
  for (const core::HeldToken& held : record.request.tokens) {
    const core::DeliveryToken* token = book_->Find(held.token);
    if (token != nullptr && token->instance == static_cast<uint64_t>(record.daemon)) ids.insert(token->id);
  }
  return ids;
}

// By new id: the attempt that its token speaks of.
std::map<uint64_t, const Attempt*> Ledger::Foreign(const StreamRecord& record, const core::OpenedNotice& opened) {
  std::map<uint64_t, const Attempt*> foreign;
  const std::set<uint64_t> own = OwnIds(record);
  const auto add = [&](uint64_t held_id, uint64_t id) {
    const Attempt* attempt = AttemptOf(record.request, held_id);
    if (attempt == nullptr) return Fail(absl::StrCat("adopted by a forged token: delivery ", id));
    if (!own.contains(id)) foreign.emplace(id, attempt);  // the first, of two attempts at one message
  };
  for (const auto& adopted : opened.adopted) add(adopted.held_id, adopted.id);
  for (uint64_t id : opened.resumed) {
    if (!own.contains(id)) add(id, id);  // it happens to have the same
  }
  return foreign;
}

void Ledger::OnAdopted(int stream, uint64_t id, const Attempt& attempt) {
  StreamRecord& record = streams_.at(stream);
  DaemonRecord& daemon = daemons_.at(record.daemon);
  const Attempt& current = Redelivered(record.daemon, attempt);
  Fate& fate = FateOf(current);
  trace_->Add("adopted: attempt, sequence, stream", current.number, current.stream_sequence, stream);
  // Mutation: the incarnation is not compared.
  if (attempt.incarnation < server_->incarnation() && daemon.started > deleted_at_) {
    return Fail(absl::StrCat("adopted what an earlier durable delivered: attempt ", attempt.number));
  }
  std::erase_if(awaiting_adoption_, [&](uint64_t number) {  // the app may bring tokens of two attempts at it
    return attempts_[number]->stream_sequence == attempt.stream_sequence;
  });
  if (&current == &attempt) Adopt(record, fate, attempt);
  fate.seen = true;
  fate.buried = fate.letter_failed = false;  // its app has the say again
  fate.stream = stream;
  fate.lease_from = now();
  fate.bytes = FateOf(attempt).bytes;
  daemon.attempt_of[id] = current.number;
  record.held[id] = current.number;
  record.held_bytes += fate.bytes;
  ++adopted_;
}

void Ledger::Adopt(const StreamRecord& record, Fate& fate, const Attempt& attempt) {
  DaemonRecord& daemon = daemons_.at(record.daemon);
  // Mutation: NoteNaked() forgets.
  const bool naked_here = fate.adopter == record.daemon && fate.sent == Verdict::kNak;
  fate.adopter = record.daemon;
  fate.adopted_at = now();
  fate.foreign = true;
  // An ACK that its app has said stays true: the daemon may still ask by it for an answer.
  fate.acked_before = fate.said == Verdict::kAck || fate.acked_late || fate.acked_before;
  fate.acked_late = fate.said == Verdict::kAck || fate.acked_late;
  fate.expired = fate.let_go = false;
  fate.said.reset();
  fate.sent.reset();
  const core::DeliveryToken& token = *TokenOf(record, attempt);
  const bool in_time = token.ack_deadline > now() && token.ack_deadline <= now() + AckWait(attempt);
  fate.in_doubt = !in_time || naked_here || !book_->crashed(token.instance);
  // Extended just now, or when NATS is back.
  fate.own_deadline = fate.in_doubt || fate.extended_at == now() ? now() + AckWait(attempt) : token.ack_deadline;
  if (daemon.ordered()) daemon.received_by_key[KeyOf(attempt)].push_back(attempt.number);
}

const core::DeliveryToken* Ledger::TokenOf(const StreamRecord& record, const Attempt& attempt) const {
  for (const core::HeldToken& held : record.request.tokens) {
    const core::DeliveryToken* token = book_->Find(held.token);
    if (token != nullptr && &server_->FindAttempt(token->reply) == &attempt) return token;
  }
  return nullptr;
}

// The daemon's own attempt at the same message, if it has one that no app has: the app goes on for that.
const Attempt& Ledger::Redelivered(int daemon, const Attempt& attempt) const {
  for (uint64_t number = fates_.size(); number-- > 0;) {
    const Attempt& other = *attempts_[number];
    if (other.stream_sequence != attempt.stream_sequence || other.owner != daemon) continue;
    const Fate& fate = fates_[number];
    const bool is_here = fate.received && !fate.sent && !fate.replaced && !Expired(other, fate);
    if (is_here) return other;
  }
  return attempt;
}

// A token that holds is taken: what it names is still pending by that very attempt, so nobody else can have it.
void Ledger::CheckRefusals(int stream, const core::OpenedNotice& opened) {
  const StreamRecord& record = streams_.at(stream);
  const DaemonRecord& daemon = daemons_.at(record.daemon);
  refused_ += opened.refused.size();
  for (const auto& refused : opened.refused) {
    const Attempt* attempt = AttemptOf(record.request, refused.held_id);
    if (attempt == nullptr || attempt->owner == record.daemon || daemon.draining) continue;
    const bool holds = server_->pending(attempt->stream_sequence) == attempt && !FateOf(*attempt).taken &&
                       attempt->incarnation == server_->incarnation() && deleted_at_ == absl::InfinitePast();
    const bool could_look = now() - HealthySince(record.daemon) > 2 * AckWait(*attempt);
    const bool with_another = FateOf(*attempt).adopter == record.daemon;
    if (holds && could_look && !with_another) {
      Fail(absl::StrCat("refused although it holds: attempt ", attempt->number, ": ", refused.reason));
    }
  }
}

// A redelivery to the daemon whose app is at the message: the app's verdict is for the redelivery from now on.
// Mutation: no merge ("handed out while another app is at it").
void Ledger::MergeIntoAdopted(const Attempt& again) {
  if (adopted_ == 0) return;
  for (auto& [number, stream] : streams_) {
    if (stream.daemon != again.owner) continue;
    for (auto& [id, held] : stream.held) {
      const Attempt& attempt = *attempts_[held];
      Fate& fate = fates_[held];
      const bool same = attempt.stream_sequence == again.stream_sequence && held != again.number &&
                        attempt.incarnation == again.incarnation;
      // After a stall it comes before the daemon finds out that a lease has ended.
      const bool over = fate.expired || (Expired(attempt, fate) && daemons_.at(again.owner).went_on_at != now());
      if (!same || !fate.foreign || fate.sent || over || again.num_delivered <= attempt.num_delivered) continue;
      trace_->Add("merged: attempt, into attempt", again.number, held);
      Fate& merged = FateOf(again);
      merged.seen = true;
      merged.foreign = true;
      merged.stream = number;
      merged.bytes = fate.bytes;
      fate.replaced = true;
      daemons_.at(again.owner).attempt_of[id] = again.number;
      held = again.number;
      ++merged_;
      return;
    }
  }
}

const char* Ledger::BlameForGivingBesideItsApp(const Attempt& attempt) const {
  if (adopted_ == 0) return nullptr;
  for (const auto& [number, stream] : streams_) {
    if (stream.daemon != attempt.owner || !stream.open) continue;
    for (const auto& [id, held] : stream.held) {
      const Fate& fate = fates_[held];
      const bool same = attempts_[held]->stream_sequence == attempt.stream_sequence &&
                        attempts_[held]->incarnation == attempt.incarnation;
      const bool at_it = same && fate.foreign && !fate.sent;
      if (at_it && !Expired(*attempts_[held], fate)) return "handed out while an app that resumed it is at it";
    }
  }
  return nullptr;
}

// An app has just brought its token: for the first time, or again after all was said of it.
bool Ledger::MayBeAdopting(const Attempt& attempt, Verdict verdict, int daemon) const {
  if (verdict != Verdict::kInProgress) return false;
  const Fate& fate = fates_[attempt.number];
  const bool again = fate.foreign && (fate.sent || fate.let_go || now() > fate.own_deadline || fate.expired);
  return again || daemon != OwnerOf(attempt);
}

// Its client opens another stream in this instant, and what it does not name goes back: what is foreign to JetStream,
// as no sibling can have it.
bool Ledger::IsComingBack(const StreamRecord& stream) const {
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const StreamRecord& other = entry.second;
    return other.daemon == stream.daemon && !other.opened_told && other.request.client_id == stream.request.client_id;
  });
}

// An app has brought an earlier attempt at it to another daemon, which extends that one until the doubt is over. So
// docs/guarantees.md says; it sets back a delayed NAK of the message.
bool Ledger::ExtendedInDoubt(const Attempt& naked) const {
  // The NAK may have been sent later, and have been there first.
  const absl::Time since = std::max(naked.sent, fates_[naked.number].sent_at - kOnItsWay);
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt* other) {
    const Fate& fate = fates_[other->number];
    return other->stream_sequence == naked.stream_sequence && fate.in_doubt && fate.in_progress_at > since;
  });
}

// Nobody extends it any more, on purpose: it is in doubt, and its app said NAK or TERM, or has left.
bool Ledger::IsForsaken(const Fate& fate) const {
  if (!fate.in_doubt || fate.stream == 0) return false;
  const StreamRecord& stream = streams_.at(fate.stream);
  return fate.let_go || !stream.open || stream.app_drains || daemons_.at(stream.daemon).draining;
}

}  // namespace sluice::test
