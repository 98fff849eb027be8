#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/intrusive_list.h"
#include "base/timers.h"
#include "core/delivery.h"
#include "core/ordering.h"

namespace sluice::core {

// All that is here of one key.
struct Lane {
  // A message that went back to JetStream, which delivers it again to whoever pulls.
  struct Absent {
    uint64_t stream_sequence;
    absl::Time since;  // from then on it is up for redelivery, or by kServerIsLate later
  };

  Lane(base::Timers* timers, std::string lane_key) : key(std::move(lane_key)), timer(timers) {}

  const std::string key;
  uint64_t occupants = 0;    // adopted, with apps, and not the head: as long, none starts
  Delivery* head = nullptr;  // the one that may be with an app; null: the next may start
  DeliveryList waiting;      // WAITING, ascending
  uint64_t waiting_count = 0;
  std::vector<Absent> absent;  // ascending
  bool returning = false;      // all of it goes back to JetStream, and so does what still comes
  absl::Time started;          // the head
  absl::Duration pace;         // how long a head takes, the last ones counting most

  // One of its key is with an app, or about to be.
  bool is_taken() const { return head != nullptr || occupants > 0; }
  // Whether one that waits does so for another one.
  bool is_busy() const { return is_taken() || !absent.empty() || waiting_count > 1; }

  base::Timer timer;          // the next attempt of the first that waits
  base::ListLink all;         // Lanes'
  base::ListLink startable;   // Lanes': may be able to start its next
  base::ListLink incomplete;  // Lanes': something is absent
  base::ListLink on_its_way;  // Lanes': returning
};

// The order within each key: of the messages of one key that are here, one at most is with the apps, and it is the
// earliest; the others wait in its lane, leased. Owned by Consumer, which asks for what may start at the end of every
// event. Loop only.
//
// What a lane's head does to its successors:
//   - acked, terminated, or NAKed for the last time: the next one starts;
//   - failed: it waits in front for its next attempt, and they wait behind it;
//   - with an app whose stream broke: they wait until the app resumes, or its window is over;
//   - goes back to JetStream: they all go back too, ascending, and so does what else comes of the key before the NAKs
//     are sent. JetStream redelivers in the order of the NAKs. (In a drain they follow as soon as it has gone, or its
//     verdict.) A message on its last delivery cannot go back; it stays, and what is behind it stays as well;
//   - its lease ends: JetStream delivers it again by itself, to whoever pulls.
// What has left unfinished is absent: a later one of its key does not start before it is back, or until it is clear
// that another pod has it, since something newer was delivered to us after it was due.
//
// A hot key: what waits in lanes takes no credit from the apps, so that the other keys go on; but all lanes together
// hold a share of max_ack_pending at most, and of the apps' byte credit (ConsumerOptions::waiting_share). Beyond it the
// longest lane gives back its latest, to come again when half of what is before it should be done; they are absent
// then, so that nothing behind them overtakes. Three limits remain. What was given back still counts for
// max_ack_pending, so that a key whose backlog is larger than that holds up all of the consumer. Each giving back
// counts as a delivery; a message on its last one is kept, at the price of smaller pulls. And what is out there when
// the daemon ends comes to its successor when it is due, not in its turn.
class Lanes {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A message is due for its next attempt: TakeStartable() has something.
    virtual void OnRetryDue() = 0;
  };

  // By so much later than we think a message may come up for redelivery: the server's ack wait ends up to 100 ms after
  // ours, a verdict is on its way for a while, and verdicts and pulls lie in different queues there.
  static constexpr absl::Duration kServerIsLate = absl::Milliseconds(600);

  // In which order JetStream redelivers what was up for it: each before those that were so later; or not, since it
  // turns its queue while only clients wait that are not pinned.
  enum class Redeliveries { kInOrder, kInAnyOrder };

  Lanes(base::Timers* timers, Owner* owner, KeySelector selector, Redeliveries redeliveries = Redeliveries::kInOrder);
  ~Lanes();

  // A new arrival, before what waits with a higher sequence. Returns an earlier attempt at the same message that waits
  // still, if there is one: JetStream has given up on it.
  Delivery* Add(Delivery* delivery);
  // An app has it, and had it before it came here (consumer_resume.cc): until Leave(), none of its key starts. Returns
  // the head if that has to wait for it, as no app has seen it.
  Delivery* Occupy(Delivery* adopted, absl::string_view key);
  // The head has to wait: something earlier has come, or its next attempt is not yet due. It is in no list.
  void Defer(Delivery* head);
  // Another attempt at the message of `settled`, of the same durable, that no app has seen; null: there is none.
  Delivery* FindUnseenTwin(const Delivery& settled) const;
  // Takes out what waits; it stays of its lane until Leave().
  void Unlink(Delivery* waiting);
  // The lane lets go of it. It is in no list.
  void Leave(Delivery* delivery);
  // The same, as JetStream is to deliver it again, from `since` on.
  void LeaveAbsent(Delivery* delivery, absl::Time since);
  // The same, as it goes back to JetStream with all of its lane: until EndReturns(), all that may start of the lane is
  // to go the same way.
  void LeaveReturning(Delivery* delivery);
  // What has come of a lane that goes back, and goes with it; null: nothing more. Not what was delivered `max_deliver`
  // times (-1: no limit), nor what is behind that.
  Delivery* TakeReturning(int64_t max_deliver);
  // What returns has been NAKed.
  void EndReturns();
  // All that was up for redelivery at `time` is here, or with another pod.
  void OnCaughtUp(absl::Time time);
  // When that was, as far as it follows from what has come.
  absl::Time caught_up() const { return caught_up_; }
  // From now on nothing waits for what is absent, or for its next attempt.
  void BeginDrain() { SetPassing(true); }
  // The same as long as it is true: all that is here goes to another pod, or back to it.
  void SetPassing(bool passing);
  // All that JetStream has delivered and not settled is here: what is not will not come.
  void OnAllHere();

  // What may start, now the head of its lane, lane by lane; null: nothing more. What is beyond the stream sequence
  // `up_to` may not, but is asked for again the next time.
  Delivery* TakeStartable(uint64_t up_to = std::numeric_limits<uint64_t>::max());

  bool awaits_absent() const { return !incomplete_.empty(); }
  uint64_t waiting() const { return waiting_; }
  uint64_t waiting_bytes() const { return waiting_bytes_; }
  // The latest message of the lane in which most are waiting, of those lanes whose latest may go back: not one that is
  // to be tried again from here, or that was delivered `max_deliver` times (-1: no limit). Null: there is none.
  Delivery* LatestOfTheLongest(int64_t max_deliver) const;
  // After which this one should come again, if it is given back.
  absl::Duration ReturnDelay(const Delivery& latest) const;

 private:
  Lane* FindOrMake(absl::string_view key);
  Delivery* InsertWaiting(Delivery* delivery);
  bool IsClosed(Lane* lane);
  void MarkStartable(Lane* lane);
  void ForgetAbsent();
  static std::vector<Lane::Absent>::iterator FindAbsent(Lane* lane, uint64_t stream_sequence);

  base::Timers* const timers_;
  Owner* const owner_;
  const KeySelector selector_;
  const Redeliveries redeliveries_;

  absl::flat_hash_map<std::string, std::unique_ptr<Lane>> lanes_;
  base::IntrusiveList<Lane, &Lane::all> all_;  // in the order of their making, so that replays go through them in one
  base::IntrusiveList<Lane, &Lane::startable> startable_;
  base::IntrusiveList<Lane, &Lane::incomplete> incomplete_;
  base::IntrusiveList<Lane, &Lane::on_its_way> returning_;
  uint64_t waiting_ = 0;
  uint64_t waiting_bytes_ = 0;
  absl::Time caught_up_ = absl::InfinitePast();
  absl::Time dropped_until_ = absl::InfinitePast();  // what is absent, and was up for redelivery by then
  bool passing_ = false;
};

}  // namespace sluice::core
