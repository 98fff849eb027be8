#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/delivery.h"
#include "core/message_source.h"
#include "core/settlement.h"

namespace sluice::core {

// The verdicts of one consumer on their way to JetStream: sent at once while connected, kept while not. Loop only.
//
// A verdict that was written to a connection may still be lost with it. So each stays here until the server has
// confirmed a later one: JetStream acts on the verdicts of a consumer in their order, so one answer in kFenceEvery
// vouches for all before it. After a reconnect, what nobody has vouched for is sent again, as far as that is safe: an
// ACK always is; a TERM is until the ack deadline; a NAK is if it was not sent before. A second NAK could take the
// message from its next holder.
class Outbox {
 public:
  static constexpr uint64_t kFenceEvery = 256;  // verdicts; costs 0.4 % more messages
  static constexpr uint64_t kMostKept =
      1 << 20;  // beyond it the oldest are forgotten; only reached if the server never answers

  // `unconfirmed`: verdicts that the server has not confirmed; 0 is success.
  using FenceCallback = absl::AnyInvocable<void(uint64_t unconfirmed)>;

  Outbox(base::Timers* timers, MessageSource* source) : timers_(timers), source_(source), retry_(timers) {}
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Ack, nak or term.
  void Send(const Delivery& delivery, const Settlement& settlement);

  // Calls back when the server has acted on all that was sent so far, or at `deadline`. Never from within this call.
  void Fence(absl::Time deadline, FenceCallback callback);

  void OnConnection(bool connected);
  void OnConfirmed(uint64_t tag, const absl::Status& status);

  bool connected() const { return connected_; }
  uint64_t unconfirmed() const { return end_ - begin_; }

 private:
  struct Entry {
    std::string reply;
    std::string term_reason;
    Verdict verdict;
    bool sent;
    absl::Duration nak_delay;
    absl::Time nak_due;  // of a delayed NAK that was sent: until then it stays with nobody
    absl::Time ack_deadline;
  };
  struct Waiter {
    Waiter(base::Timers* timers, uint64_t end, FenceCallback callback)
        : end(end), callback(std::move(callback)), timeout(timers) {}
    uint64_t end;  // waits for all entries before this one
    FenceCallback callback;
    base::Timer timeout;
  };

  Entry& At(uint64_t position) { return ring_[position & (ring_.size() - 1)]; }
  Entry& Append();
  void Transmit(Entry& entry);
  void ConfirmLast();
  void Forget(uint64_t end);
  void WakeWaiters();

  base::Timers* const timers_;
  MessageSource* const source_;
  bool connected_ = false;

  // Entries [begin_, end_), used again and again: their strings keep their room. The size is a power of two.
  std::vector<Entry> ring_;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;

  uint64_t confirming_ = 0;            // all entries before this one are confirmed by the answer under way; 0: none is
  uint64_t confirm_at_ = kFenceEvery;  // ask with the verdict that makes it as many
  base::Timer retry_;                  // of a confirmation that someone waits for
  std::list<Waiter> waiters_;
};

}  // namespace sluice::core
