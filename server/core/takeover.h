#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "base/timers.h"
#include "core/message_source.h"

namespace sluice::core {

// The barrier at which a daemon stops that has become the active one of its fleet: it hands out nothing before every
// message that JetStream has delivered and not settled is in its hands, whoever had it before. Only then is stream
// order the order in which they lie here: JetStream turns its queue of redeliveries while only clients wait that are
// not pinned (7, 8, 9 NAKed in order come back as 9, 7, 8), and what a killed pod had comes when its ack wait is over.
// Owned by Pin. Loop only.
//
// It asks CONSUMER.INFO again and again, and is over when num_ack_pending is the number of deliveries here up to
// delivered.consumer_seq. What is on its way, here or there, makes for another round, and nothing worse.
//
// More here than outstanding: something that came to us was settled by a late ACK of its former holder, and nobody
// knows what. Then all that no app has seen is NAKed, which does nothing to what is settled, and gathered anew. What is
// on its last delivery cannot be; if there is still more here, that is the reason, and the takeover is over.
//
// Meanwhile it pulls whatever the apps' credit: they may hold all of it, with all of max_ack_pending outstanding. A
// pull brings new messages, too, as long as what is missing is not up for redelivery; after such a one the next pull is
// for a single message and waits for kProbeEvery. So what is here is bounded by max_ack_pending, and by the outstanding
// messages and 20 a second as long as max_ack_pending leaves room.
class Takeover {
 public:
  static constexpr absl::Duration kFirstPoll = absl::Milliseconds(5);
  static constexpr absl::Duration kLastPoll = absl::Milliseconds(100);
  static constexpr int kMostExcess = 5;  // answers in a row
  static constexpr absl::Duration kProbeEvery = absl::Milliseconds(50);

  class Owner {
   public:
    virtual ~Owner() = default;
    // OnInfo() follows. False: cannot be asked now.
    virtual bool AskInfo() = 0;
    // Messages here, delivered up to this consumer sequence, of which the server waits for a verdict from us.
    virtual uint64_t CountHere(uint64_t consumer_sequence) = 0;
    virtual void OnTakenOver() = 0;
    // What no app has seen is to be NAKed.
    virtual void OnExcess() = 0;
    // There may be something to pull, or to tell.
    virtual void OnStillMissing() = 0;
  };

  Takeover(base::Timers* timers, Owner* owner) : timers_(timers), owner_(owner), poll_(timers) {}

  // Asks at once. If one is running, it starts anew.
  void Begin();
  void Cancel();
  void OnInfo(const absl::StatusOr<ConsumerInfo>& info);
  void OnArrivals(bool redelivered);

  bool running() const { return running_; }
  absl::Time began() const { return began_; }
  // Outstanding and not here, as of the last answer; 1 before there is one.
  uint64_t missing() const { return missing_; }
  // How many messages to pull now.
  uint64_t wanted() const;

 private:
  void Ask();
  void AskLater();
  bool IsOver(uint64_t here, uint64_t outstanding);

  base::Timers* const timers_;
  Owner* const owner_;
  bool running_ = false;
  absl::Time began_ = absl::InfinitePast();
  uint64_t missing_ = 1;
  int excess_ = 0;  // answers in a row by which more is here than outstanding
  bool gathers_anew_ = false;
  bool probing_ = false;  // the last arrivals were new: what is missing is not up for redelivery yet
  absl::Time next_probe_ = absl::InfinitePast();
  absl::Duration next_poll_ = kFirstPoll;
  base::Timer poll_;
};

}  // namespace sluice::core
