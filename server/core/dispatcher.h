#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "base/timers.h"
#include "core/delivery.h"
#include "core/pull_window.h"
#include "core/session.h"

namespace sluice::core {

// Who gets the next message: the queue of deliveries that no session has, and the sessions that would take one, in
// turn. Usually the queue is empty after each Run(), since no more is pulled than apps have credit for. Owned by
// Consumer. Loop only.
class Dispatcher {
 public:
  explicit Dispatcher(base::Timers* timers) : timers_(timers) {}

  // A new arrival, behind all others.
  void Add(Delivery* delivery);
  // Comes back from a session, before all with a higher stream sequence. In no list, and of no session any more.
  void PutBack(Delivery* delivery);
  void Remove(Delivery* delivery);
  // Takes out what became ready by `until`, in order.
  std::vector<Delivery*> Take(absl::Time until);

  // Whether the session would take more; again after anything of it has changed.
  void SetEligible(Session* session, bool eligible);

  // Hands out what can be handed out, and writes the frames.
  void Run();
  // The first one only; null: there is none, or nobody for it.
  const Delivery* RunOne();

  // What the sessions would take beyond what is queued.
  Demand GetDemand();
  bool empty() const { return ready_count_ == 0; }
  // When the oldest became ready; InfiniteFuture: none. Looks at each.
  absl::Time oldest();

 private:
  void Append(DeliveryList& list, Delivery* delivery);
  void MergeReturned();
  void Assign();
  Session* AssignFirst();
  Session* Choose(const Delivery& delivery);
  void Count(Session* session, const Session::Offer& offer);
  absl::Time WantedUntil() const;  // by the most patient of the eligible

  base::Timers* const timers_;
  DeliveryList ready_;
  DeliveryList returned_;  // the same; when there is somebody for them they are put among the others
  uint64_t ready_count_ = 0;
  uint64_t ready_bytes_ = 0;
  base::IntrusiveList<Session, &Session::turn> eligible_;  // the next one to choose is in front
  // Of those, what has to be counted anew. What they offer is added up, so that a thousand cost as much as one.
  base::IntrusiveList<Session, &Session::changed> changed_;
  Session::Offer offered_;
  uint64_t idle_ = 0;
  uint64_t patient_ = 0;
  std::vector<Session*> touched_;  // have something for their next frame
};

}  // namespace sluice::core
