#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/consumer_options.h"
#include "core/dead_letter.h"
#include "core/dead_letter_sink.h"
#include "core/delivery.h"
#include "core/first_attempts.h"

namespace sluice::core {

// The dead letters of one consumer on their way to their stream. Which message becomes one is Consumer's to say
// (consumer_dead_letters.cc); this publishes it, again and again as long as its owner keeps it, and tells when a stream
// has it. Beside those, the messages that the server has given up: nobody holds them, so they are looked up in their
// stream and published from here, until it is done or the daemon ends. Owned by Consumer. Loop only.
//
// Between two attempts it waits as long as it has been failing already, within kLeastRetry and kMostRetry.
class DeadLetters final : private DeadLetterSink::Listener {
 public:
  static constexpr absl::Duration kLeastRetry = absl::Seconds(1);
  static constexpr absl::Duration kMostRetry = absl::Seconds(30);
  static constexpr size_t kMostGivenUp = 10'000;  // at a time; what is beyond is named in the log, and stays undone
  static constexpr size_t kMostFetches = 16;      // of them, at once

  class Owner {
   public:
    virtual ~Owner() = default;
    // A stream has its dead letter. DeadLetters has let go of it.
    virtual void OnDeadLetterStored(Delivery* delivery) = 0;
    // It could not be stored, or nobody knows. True: it is tried again from here. False: the owner has taken it away.
    virtual bool OnDeadLetterFailed(Delivery* delivery, DeadLetterReason reason, absl::Duration retry) = 0;
    // One of those that the server gave up: stored, or not (and then perhaps tried again).
    virtual void OnGivenUpDone(bool stored) = 0;
    // trouble() has changed.
    virtual void OnTrouble() = 0;
  };

  // `sink` may be null if there are no dead letters.
  DeadLetters(base::Timers* timers, const ConsumerOptions& options, std::unique_ptr<DeadLetterSink> sink, Owner* owner);

  void Start();
  // False after Close() as well.
  bool enabled() const { return sink_ != nullptr && !closed_; }

  // Takes a delivery that is in no list; it is in state DEAD_LETTER until it is stored or removed.
  void Add(Delivery* delivery, DeadLetterReason reason, std::string detail);
  void Remove(Delivery* delivery);
  std::vector<Delivery*> deliveries() const;  // ascending by stream sequence
  // How many deliveries, and messages that the server has given up, are still on their way.
  size_t size() const { return letters_.size() + given_up_.size(); }
  size_t held() const { return letters_.size(); }
  // Why dead letters cannot be stored, for people; empty: they can.
  const std::string& trouble() const { return trouble_; }

  // The next attempt of its message is the failed one's successor; or there will be none.
  void NoteFailure(const Delivery& delivery) { first_attempts_.Note(delivery.message, delivery.received); }
  void NoteSettled(const Delivery& delivery) { first_attempts_.Forget(delivery.message); }

  // What the server gives up from now on is the other daemons'.
  void StopListening();
  // No more attempts; what was given up and is not stored, ascending.
  std::vector<uint64_t> Close();

 private:
  struct Letter {
    explicit Letter(base::Timers* timers) : retry(timers) {}
    Delivery* delivery = nullptr;
    DeadLetterReason reason = DeadLetterReason::kFailed;
    std::string detail;
    absl::Time decided;  // when its last attempt ended
    base::Timer retry;
  };
  struct GivenUp {
    explicit GivenUp(base::Timers* timers) : retry(timers) {}
    uint64_t deliveries = 0;
    absl::Time told;
    base::Timer retry;
  };
  // Tags of given-up messages; those of deliveries are their ids.
  static constexpr uint64_t kGivenUpTag = uint64_t{1} << 63;

  // DeadLetterSink::Listener
  void OnPublished(uint64_t tag, const absl::Status& status) override;
  void OnFetched(uint64_t stream_sequence, absl::StatusOr<Message> message) override;
  void OnGivenUp(uint64_t stream_sequence, uint64_t deliveries) override;

  void Publish(Letter& letter);
  void FetchSome();
  void OnGivenUpPublished(uint64_t stream_sequence, const absl::Status& status);
  DeadLetterFacts Facts(DeadLetterReason reason) const;
  absl::Duration NoteTrouble(const absl::Status& status);
  void NoteSuccess();

  base::Timers* const timers_;
  const ConsumerOptions& options_;
  const std::unique_ptr<DeadLetterSink> sink_;
  Owner* const owner_;
  bool closed_ = false;

  std::map<uint64_t, Letter> letters_;    // by delivery id
  std::map<uint64_t, GivenUp> given_up_;  // by stream sequence
  std::set<uint64_t> to_fetch_;           // of them
  std::set<uint64_t> fetching_;           // of them
  FirstAttempts first_attempts_;

  std::string trouble_;  // empty: none
  absl::Time trouble_since_;
};

}  // namespace sluice::core
