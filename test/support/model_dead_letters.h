#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/timers.h"
#include "core/dead_letter_sink.h"
#include "test/support/dice.h"
#include "test/support/model_jetstream.h"

namespace sluice::test {

class ModelDeadLetters;

// The stream of the dead letters, and the server's word on what it has given up. Loop only.
class ModelDeadLetterStream {
 public:
  struct Options {
    // How often, 0..1.
    double refuses = 0;  // a publication: an error is answered
    double loses = 0;    // a publication: nothing comes of it, and there is no answer
    double forgets = 0;  // an answer: the letter is there, and nobody knows
    double unheard = 0;  // an advisory
    absl::Duration most_latency = absl::Milliseconds(3);
    uint64_t seed = 1;
  };
  // Sees everything, for the test to judge.
  class Witness {
   public:
    virtual ~Witness() = default;
    virtual void OnLetterSent(int /*owner*/, const core::DeadLetter&) {}
    // At the daemon: the server's answer, or that there was none.
    virtual void OnLetterAnswered(int /*owner*/, uint64_t /*stream_sequence*/, bool /*stored*/) {}
    virtual void OnLetterStored(uint64_t /*stream_sequence*/, const std::string& /*id*/) {}
    virtual void OnAdvisory(int /*owner*/, uint64_t /*stream_sequence*/) {}
  };

  ModelDeadLetterStream(ModelJetStream* server, base::Timers* timers, Options options, Witness* witness);

  // What there is of it, by `Nats-Msg-Id`; each once, as within the duplicate window.
  const std::map<std::string, core::DeadLetter>& letters() const { return letters_; }
  uint64_t duplicates() const { return duplicates_; }

  // --- for the test: what happens to it ---
  void SetMissing(bool missing) { missing_ = missing; }  // no stream holds the subject
  void Heal();

 private:
  friend class ModelDeadLetters;

  // The answer; unset: there is none.
  absl::Status Store(const core::DeadLetter& letter, const std::string& id, bool* answered);
  void Tell(const Attempt& exhausted);
  absl::Duration Latency() { return dice_.Between(absl::Microseconds(100), options_.most_latency); }

  ModelJetStream* const server_;
  base::Timers* const timers_;
  Options options_;
  Witness* const witness_;
  Dice dice_;
  bool missing_ = false;
  std::map<std::string, core::DeadLetter> letters_;
  uint64_t duplicates_ = 0;
  std::vector<ModelDeadLetters*> listening_;
};

// core's port on it. `timers` are those of its daemon's process. Destroying it is the SIGKILL of its daemon. Loop only.
class ModelDeadLetters final : public core::DeadLetterSink {
 public:
  ModelDeadLetters(ModelDeadLetterStream* stream, base::Timers* timers, int owner)
      : stream_(stream), timers_(timers), owner_(owner) {}
  ~ModelDeadLetters() override { StopListening(); }

  // core::DeadLetterSink
  void Start(Listener* listener) override;
  void Publish(const core::DeadLetter& letter, uint64_t tag) override;
  void Fetch(uint64_t stream_sequence) override;
  void StopListening() override;

  static constexpr absl::Duration kTimeout = absl::Seconds(5);

 private:
  friend class ModelDeadLetterStream;

  template <typename Action>
  void Later(absl::Duration delay, Action action);

  ModelDeadLetterStream* const stream_;
  base::Timers* const timers_;
  const int owner_;
  Listener* listener_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what comes later holds it weakly
};

}  // namespace sluice::test
