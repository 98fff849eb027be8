#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/intrusive_list.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/delivery.h"
#include "core/drain_report.h"
#include "core/settlement.h"

namespace sluice::core {

class Consumer;

// One app: its credit, what waits for its next frame, what it holds. Outlives its stream while a client id may come
// back for what was held. Owned by its Consumer. Loop only.
//
//   OPEN --OnDrain--> DRAINING ---> ended
//     '----'--OnBroken with a client id--> DETACHED --the window is over, or a new stream takes over--> ended
class Session {
 public:
  // --- for rpc, on behalf of its stream; none after OnBroken(), OnHalfClosed() or the stream's Finish() ---

  // Applies the verdicts of one request, in order.
  void OnSettle(absl::Span<const SettleRun> runs);
  void OnCredit(Credit credit);
  // The app wants to stop. `timeout` absent: the consumer's drain_timeout.
  void OnDrain(std::optional<absl::Duration> timeout);
  // The app closed its side: what it holds is NAKed, then the stream is finished with OK.
  void OnHalfClosed();
  // The stream is gone; it must not be used any more, not even to finish it.
  void OnBroken();
  // AppStream::writable() has become true.
  void OnWritable();

  const std::string& client_id() const { return client_id_; }

  // --- for Consumer and Dispatcher ---

  Session(Consumer* consumer, base::Timers* timers, uint64_t number, const OpenRequest& request, AppStream* stream);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  uint64_t number() const { return number_; }
  bool attached() const { return stream_ != nullptr; }
  bool draining() const { return draining_; }
  Credit credit() const { return credit_; }
  uint32_t max_batch() const { return max_batch_; }
  bool confirms() const { return confirms_; }
  bool unary() const { return unary_; }
  // Only keeps what others were given: nothing is handed to it.
  bool keeps_only() const { return unary_ && credit_.messages == 0; }
  // A Fetch that is not yet answered: what it holds no app has seen.
  bool fills() const { return unary_ && credit_.messages > 0; }
  absl::Time wanted_until() const { return wanted_until_; }
  // Its app has been, or is just being, told `Opened`; nothing else before.
  bool opened() const { return opened_; }
  void SetOpened();

  // Credit. Only as much is queued as the next frame can take: the rest is better off with a sibling that reads faster.
  bool idle() const { return outstanding_messages_ == 0; }
  uint64_t free_messages() const;
  uint64_t free_bytes() const;
  bool HasRoomFor(size_t bytes) const { return free_messages() > 0 && (idle() || bytes <= free_bytes()); }
  bool queue_empty() const { return queue_.empty(); }
  uint64_t queued() const { return queued_; }
  uint64_t held_count() const { return outstanding_messages_ - queued_; }

  // Takes a delivery that is in no list.
  void Enqueue(Delivery* delivery);
  // Takes over what an earlier session of this client held.
  void Adopt(Delivery* delivery);
  // Writes a frame if the stream is writable.
  void Flush();
  // Lets go of a delivery, whatever its state here.
  void Drop(Delivery* delivery);
  // What was written to the app, or still waits for that, ascending by stream sequence.
  std::vector<Delivery*> Queued() const;
  std::vector<Delivery*> Held() const;  // HELD and EXPIRED

  void Tell(Notice notice);  // nothing if detached
  void FinishStream(absl::Status status);
  void Detach(absl::Duration window);

  DrainReport& drain_report() { return drain_report_; }
  // The app's drain goes on when it holds nothing any more.
  void CheckDrained();

  base::ListLink turn;     // Dispatcher's
  base::ListLink changed;  // Dispatcher's
  // What it would take, as Dispatcher has counted it; nothing while it is not eligible.
  struct Offer {
    uint64_t messages = 0;
    uint64_t bytes = 0;
    bool idle = false;
    bool patient = false;  // waits without end
  };
  Offer offer;  // Dispatcher's

 private:
  void UpdateEligible();
  void ConfirmDrain();

  Consumer* const consumer_;
  base::Timers* const timers_;
  const uint64_t number_;
  const std::string client_id_;
  const uint32_t max_batch_;
  const bool confirms_;
  const bool unary_;
  const absl::Time wanted_until_;
  const bool resumable_;

  AppStream* stream_;  // null: detached
  Credit credit_;
  uint64_t outstanding_messages_ = 0;
  uint64_t outstanding_bytes_ = 0;
  uint64_t queued_ = 0;
  DeliveryList queue_;  // QUEUED
  DeliveryList held_;   // HELD and EXPIRED
  std::vector<const Delivery*> frame_;

  base::Timer timer_;  // the resume window, or the deadline of the app's drain

  bool opened_ = false;
  std::vector<Notice> before_opened_;  // what is to be told after it
  bool draining_ = false;              // the app asked for it
  bool confirming_ = false;
  absl::Time phase_entered_;
  DrainReport drain_report_;
};

}  // namespace sluice::core
