#include "test/support/model_dead_letters.h"

#include <algorithm>
#include <memory>

namespace sluice::test {
namespace {

std::string IdOf(const core::DeadLetter& letter) {
  for (const auto& [name, value] : letter.headers) {
    if (name == core::dead_letter_header::kMsgId) return value;
  }
  return "";
}

}  // namespace

ModelDeadLetterStream::ModelDeadLetterStream(ModelJetStream* server, base::Timers* timers, Options options,
                                             Witness* witness)
    : server_(server), timers_(timers), options_(options), witness_(witness), dice_(options.seed) {
  server_->WhenExhausted([this](const Attempt& attempt) { Tell(attempt); });
}

void ModelDeadLetterStream::Heal() {
  missing_ = false;
  options_.refuses = options_.loses = options_.forgets = 0;
}

absl::Status ModelDeadLetterStream::Store(const core::DeadLetter& letter, const std::string& id, bool* answered) {
  *answered = !dice_.Chance(options_.loses);
  if (!*answered) return absl::DeadlineExceededError("no answer");
  if (missing_) return absl::UnavailableError("no stream holds the subject");
  if (dice_.Chance(options_.refuses)) return absl::UnavailableError("insufficient storage");
  const bool is_new = letters_.try_emplace(id, letter).second;
  letters_.at(id).data = {};  // it was a view
  duplicates_ += !is_new;
  witness_->OnLetterStored(letter.stream_sequence, id);
  *answered = !dice_.Chance(options_.forgets);
  return absl::OkStatus();
}

// A queue group: one of those that listen, if any.
void ModelDeadLetterStream::Tell(const Attempt& exhausted) {
  if (listening_.empty() || dice_.Chance(options_.unheard)) return;
  ModelDeadLetters* const told = dice_.Pick(listening_);
  told->Later(Latency(), [this, told, sequence = exhausted.stream_sequence, deliveries = exhausted.num_delivered] {
    witness_->OnAdvisory(told->owner_, sequence);
    told->listener_->OnGivenUp(sequence, deliveries);
  });
}

template <typename Action>
void ModelDeadLetters::Later(absl::Duration delay, Action action) {
  timers_->After(delay, [alive = std::weak_ptr<bool>(alive_), action = std::move(action)]() mutable {
    if (!alive.expired()) action();
  });
}

void ModelDeadLetters::Start(Listener* listener) {
  listener_ = listener;
  stream_->listening_.push_back(this);
}

void ModelDeadLetters::StopListening() { std::erase(stream_->listening_, this); }

void ModelDeadLetters::Publish(const core::DeadLetter& letter, uint64_t tag) {
  stream_->witness_->OnLetterSent(owner_, letter);
  // Under way it is the server's, whatever becomes of the daemon.
  stream_->timers_->After(stream_->Latency(), [stream = stream_, alive = std::weak_ptr<bool>(alive_), this, letter,
                                               id = IdOf(letter), tag]() mutable {
    bool answered = false;
    const absl::Status status = stream->Store(letter, id, &answered);
    if (alive.expired()) return;
    const absl::Status result = answered ? status : absl::DeadlineExceededError("no answer");
    Later(answered ? stream->Latency() : kTimeout, [this, result, sequence = letter.stream_sequence, tag] {
      stream_->witness_->OnLetterAnswered(owner_, sequence, result.ok());
      listener_->OnPublished(tag, result);
    });
  });
}

void ModelDeadLetters::Fetch(uint64_t stream_sequence) {
  Later(stream_->Latency(), [this, stream_sequence] {
    const StoredMessage& stored = stream_->server_->message(stream_sequence);
    auto content = std::make_unique<StoredMessage>(stored);
    core::Message message;
    message.subject = content->subject;
    message.data = content->data;
    message.stream_sequence = stream_sequence;
    message.timestamp_ns = absl::ToUnixNanos(stored.stored);
    message.owner = {content.release(), [](void* owned) { delete static_cast<StoredMessage*>(owned); }};
    listener_->OnFetched(stream_sequence, std::move(message));
  });
}

}  // namespace sluice::test
