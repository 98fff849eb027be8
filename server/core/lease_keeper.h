#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/intrusive_list.h"
#include "base/timers.h"
#include "core/delivery.h"

namespace sluice::core {

// Keeps the ack wait of every delivery from running out, from its receipt until its lease is over. Loop only.
//
// All deliveries with the same ack wait come due in the order in which they were last extended, so each ack wait has a
// plain queue: adding, extending and removing cost the same for ten deliveries as for a hundred thousand, and one
// timer, set to the first of all queues, serves them all.
class LeaseKeeper {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Tells the server that the delivery is in progress. False: cannot now.
    virtual bool ExtendLease(const Delivery& delivery) = 0;
    // The server will deliver them again. The keeper has let go of them.
    virtual void OnLeasesEnded(absl::Span<Delivery* const> deliveries) = 0;
  };

  // `lease_max`: how long a delivery is kept without a word from its app.
  LeaseKeeper(base::Timers* timers, Owner* owner, absl::Duration lease_max);

  // `sent`: the server sent it at that time or later; not before that of those added earlier. `delivery->ack_wait` is
  // known.
  void Add(Delivery* delivery, absl::Time sent);
  // What another daemon process kept so far: `delivery->ack_deadline` is known as well, and is renewed at once.
  void Adopt(Delivery* delivery);
  // The app is at work: the lease starts anew. Extends at once only if a good part of the ack wait is gone, so that an
  // app may say so as often as it likes. Does nothing while it cannot extend.
  void Restart(Delivery* delivery) { SetEnd(delivery, timers_->now() + lease_max_); }
  // No app has it, and it is to stay: without end, until Restart().
  void Hold(Delivery* delivery) { SetEnd(delivery, absl::InfiniteFuture()); }
  void Remove(Delivery* delivery);
  // After a reconnect: what was told the server last may not have arrived, so it is told again.
  void ExtendAll();

 private:
  using LeaseList = base::IntrusiveList<Delivery, &Delivery::lease>;
  struct Queue {
    explicit Queue(absl::Duration ack_wait);
    absl::Time ExtensionDue(const Delivery& delivery) const { return delivery.ack_deadline - extend_before; }

    // Divided once: dividing a Duration costs as much as the rest of a message's way through here.
    const absl::Duration ack_wait;
    const absl::Duration safe_ack_wait;
    const absl::Duration extend_before;  // its end
    LeaseList fresh;                     // not extended yet, by when half of the ack wait is over
    LeaseList extending;                 // the same, after that
    LeaseList ending;                    // by ack_deadline: over, or could not be extended
  };

  void SetEnd(Delivery* delivery, absl::Time lease_end);
  Queue& QueueOf(const Delivery& delivery);
  void Enqueue(Queue& queue, Delivery* delivery);
  void ExtendOrEnd(Queue& queue, Delivery* delivery);
  void End(Queue& queue, Delivery* delivery);
  void RunDue();
  void Arm(absl::Time due);

  base::Timers* const timers_;
  Owner* const owner_;
  const absl::Duration lease_max_;
  std::vector<std::unique_ptr<Queue>> queues_;  // as many as BackOff has steps
  base::Timer timer_;
  absl::Time armed_for_ = absl::InfiniteFuture();
};

}  // namespace sluice::core
