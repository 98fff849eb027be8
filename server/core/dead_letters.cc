#include "core/dead_letters.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sluice::core {

DeadLetters::DeadLetters(base::Timers* timers, const ConsumerOptions& options, std::unique_ptr<DeadLetterSink> sink,
                         Owner* owner)
    : timers_(timers),
      options_(options),
      sink_(options.dead_letter.enabled() ? std::move(sink) : nullptr),
      owner_(owner) {}

void DeadLetters::Start() {
  if (enabled()) sink_->Start(this);
}

// --- deliveries ---

void DeadLetters::Add(Delivery* delivery, DeadLetterReason reason, std::string detail) {
  delivery->state = Delivery::State::kDeadLetter;
  Letter& letter = letters_.try_emplace(delivery->id, timers_).first->second;
  letter.delivery = delivery;
  letter.reason = reason;
  letter.detail = std::move(detail);
  letter.decided = timers_->now();
  Publish(letter);
}

void DeadLetters::Remove(Delivery* delivery) { letters_.erase(delivery->id); }

std::vector<Delivery*> DeadLetters::deliveries() const {
  std::vector<Delivery*> deliveries;
  for (const auto& [id, letter] : letters_) deliveries.push_back(letter.delivery);
  std::sort(deliveries.begin(), deliveries.end(),
            [](const Delivery* a, const Delivery* b) { return a->stream_sequence() < b->stream_sequence(); });
  return deliveries;
}

DeadLetterFacts DeadLetters::Facts(DeadLetterReason reason) const {
  DeadLetterFacts facts;
  facts.reason = reason;
  facts.stream = options_.stream;
  facts.durable = options_.durable;
  return facts;
}

void DeadLetters::Publish(Letter& letter) {
  const Delivery& delivery = *letter.delivery;
  DeadLetterFacts facts = Facts(letter.reason);
  facts.detail = letter.detail;
  facts.attempts = delivery.attempt();
  facts.first_attempt = first_attempts_.Find(delivery.message, delivery.received);
  facts.last_attempt = letter.decided;
  sink_->Publish(MakeDeadLetter(options_.dead_letter.subject, delivery.message, facts), delivery.id);
}

void DeadLetters::OnPublished(uint64_t tag, const absl::Status& status) {
  if (!enabled()) return;
  if ((tag & kGivenUpTag) != 0) return OnGivenUpPublished(tag & ~kGivenUpTag, status);
  const auto found = letters_.find(tag);
  if (found == letters_.end()) return;  // its lease has ended, or a drain gave it back
  Delivery* const delivery = found->second.delivery;
  if (status.ok()) {
    NoteSuccess();
    NoteSettled(*delivery);
    letters_.erase(found);
    return owner_->OnDeadLetterStored(delivery);
  }
  const absl::Duration retry = NoteTrouble(status);
  if (!owner_->OnDeadLetterFailed(delivery, found->second.reason, retry)) return;
  found->second.retry.SetAfter(retry, [this, tag] { Publish(letters_.at(tag)); });
}

// --- what the server has given up ---

void DeadLetters::OnGivenUp(uint64_t stream_sequence, uint64_t deliveries) {
  if (!enabled()) return;
  if (given_up_.size() >= kMostGivenUp) {
    base::LogError("a message that JetStream has given up is left in its stream: too many at a time",
                   {{"stream", options_.stream}, {"consumer", options_.durable}, {"stream_seq", stream_sequence}});
    return owner_->OnGivenUpDone(false);
  }
  const auto [entry, is_new] = given_up_.try_emplace(stream_sequence, timers_);
  if (!is_new) return;
  entry->second.deliveries = deliveries;
  entry->second.told = timers_->now();
  to_fetch_.insert(stream_sequence);
  FetchSome();
}

void DeadLetters::FetchSome() {
  while (!to_fetch_.empty() && fetching_.size() < kMostFetches) {
    const uint64_t sequence = *to_fetch_.begin();
    to_fetch_.erase(to_fetch_.begin());
    fetching_.insert(sequence);
    sink_->Fetch(sequence);
  }
}

void DeadLetters::OnFetched(uint64_t stream_sequence, absl::StatusOr<Message> message) {
  const auto found = given_up_.find(stream_sequence);
  if (!enabled() || found == given_up_.end()) return;
  if (message.ok()) {
    DeadLetterFacts facts = Facts(DeadLetterReason::kGivenUp);
    facts.attempts = found->second.deliveries;
    facts.first_attempt = first_attempts_.Find(*message, absl::InfinitePast());
    facts.last_attempt = found->second.told;
    return sink_->Publish(MakeDeadLetter(options_.dead_letter.subject, *message, facts), stream_sequence | kGivenUpTag);
  }
  if (!absl::IsNotFound(message.status())) return OnGivenUpPublished(stream_sequence, message.status());
  base::LogWarning("a message that JetStream has given up is gone from its stream: no dead letter",
                   {{"stream", options_.stream}, {"consumer", options_.durable}, {"stream_seq", stream_sequence}});
  given_up_.erase(found);
  fetching_.erase(stream_sequence);
  FetchSome();
  owner_->OnGivenUpDone(false);
}

void DeadLetters::OnGivenUpPublished(uint64_t stream_sequence, const absl::Status& status) {
  const auto found = given_up_.find(stream_sequence);
  if (found == given_up_.end()) return;
  fetching_.erase(stream_sequence);
  if (status.ok()) {
    NoteSuccess();
    given_up_.erase(found);
  } else {
    // Looked up once more then: it does not take up room here meanwhile.
    found->second.retry.SetAfter(NoteTrouble(status), [this, stream_sequence] {
      to_fetch_.insert(stream_sequence);
      FetchSome();
    });
  }
  FetchSome();
  owner_->OnGivenUpDone(status.ok());
}

void DeadLetters::StopListening() {
  if (enabled()) sink_->StopListening();
}

std::vector<uint64_t> DeadLetters::Close() {
  closed_ = true;
  to_fetch_.clear();
  fetching_.clear();
  std::vector<uint64_t> sequences;
  for (const auto& [sequence, entry] : given_up_) sequences.push_back(sequence);
  given_up_.clear();
  return sequences;
}

// --- trouble ---

absl::Duration DeadLetters::NoteTrouble(const absl::Status& status) {
  const absl::Time now = timers_->now();
  if (trouble_.empty()) trouble_since_ = now;
  if (std::string text = absl::StrCat("dead letters cannot be stored: ", status.message()); text != trouble_) {
    trouble_ = std::move(text);
    base::LogError("dead letters cannot be stored, trying on",
                   {{"consumer", options_.name}, {"subject", options_.dead_letter.subject}, {"err", status.message()}});
    owner_->OnTrouble();
  }
  return std::clamp(now - trouble_since_, kLeastRetry, kMostRetry);
}

void DeadLetters::NoteSuccess() {
  if (trouble_.empty()) return;
  trouble_.clear();
  base::LogInfo("dead letters are stored again", {{"consumer", options_.name}});
  owner_->OnTrouble();
}

}  // namespace sluice::core
