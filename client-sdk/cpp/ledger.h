#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/verdict_memory.h"
#include "sluice/options.h"
#include "sluice/v1/consumer.pb.h"
#include "sluice/verdict.h"

namespace sluice::internal {

// A verdict that the daemon has to be told.
struct Settlement {
  uint64_t id;
  Verdict verdict;
};

// What this app owes, and what it has settled without knowing that it arrived: all that keeps a message from being
// handled twice when a stream or its daemon goes. No threads, no I/O; guarded by the Session's mutex.
//
// A stream that is opened answers which of the messages it still holds:
//   held, resumed       goes on under its new id
//   held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
//   settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
//   settled, not        the verdict arrived, or its daemon died with it: in doubt
// JetStream delivers an orphan, or one in doubt whose ack it never saw, once more; and so it does with one whose ack
// came too late. If that comes to this app, the orphan's handler goes on for the new attempt, and the verdict is given
// again.
class Ledger {
 public:
  // `credit`: most messages held at once. `remembered`: most verdicts kept, recent and in doubt each.
  Ledger(uint32_t credit, size_t remembered);

  // A frame of deliveries of the current stream: nothing waits in it then that was handled already.
  std::vector<Settlement> Accept(Frame& frame);
  // A frame is gone.
  void Forget(Frame& frame);

  // The app's verdict, the first for this message. Returns the id to tell the daemon it for; none: it must not, or
  // cannot now, and is told once a stream has resumed it.
  std::optional<uint64_t> Settle(Held& held, const Verdict& verdict);

  // For Open.resume: what is held, then the last verdicts, the newest first, as far as it fits into a request. With a
  // token goes what may be settled through another daemon process: acks always, as they do no harm; what has no
  // verdict, and terms, only if they are `kept`, that is, no daemon can have given them back; naks never, as a second
  // one could take the message from its new holder.
  void NameHeld(bool kept, v1::Open& open) const;
  // A new stream knows `resumed`: old id -> new id.
  std::vector<Settlement> OnOpened(const std::unordered_map<uint64_t, uint64_t>& resumed);
  void OnStreamEnded() { connected_ = false; }
  // The daemon has let the leases of these ids go. What no handler has yet is given back, the rest is cancelled.
  std::vector<Settlement> OnLeasesEnded(const std::vector<uint64_t>& ids);
  // The daemon has given back all that was held.
  void OnDrained();
  // Gives back what no handler has yet.
  std::vector<Settlement> HandBack();
  // Nothing will be told any more.
  void Close();

  bool connected() const { return connected_; }
  // The last stream knows it; the next one may resume it.
  bool current(const Held& held) const { return held.stream == stream_; }
  bool knows(const Held& held) const { return connected_ && current(held); }
  // To be stopped, without the mutex: what waits on those that were cancelled since.
  std::vector<std::stop_source> TakeStopped() { return std::exchange(stopped_, {}); }
  const Stats& stats() const { return stats_; }
  Stats& stats() { return stats_; }

 private:
  struct Doubt {
    Identity message;
    Verdict verdict;
  };
  static Identity IdentityOf(const DeliveryView& delivery);

  void RememberInDoubt(const Identity& message, const Verdict& verdict);
  void Count(const Verdict& verdict);
  // True if an orphan or a verdict that was given answers for this new attempt.
  bool Rejoin(const DeliveryView& delivery, std::vector<Settlement>& to_tell);
  std::optional<Verdict> VerdictOn(const Identity& message) const;
  // Its lease is over. True if it was dropped, as no handler had it.
  bool Lose(Held& held);
  template <typename F>
  void ForEachHeld(F f) const;  // not settled ones

  const size_t capacity_;
  uint32_t stream_ = 0;  // ordinal of the last opened stream; 0: none
  bool connected_ = false;
  Stats stats_;

  std::vector<Frame*> frames_;                    // in no order
  VerdictMemory given_;                           // the last verdicts
  std::unordered_map<uint64_t, Held*> orphans_;   // by stream sequence; cancelled, with a handler
  std::unordered_map<uint64_t, Doubt> in_doubt_;  // by stream sequence; acks and terms
  std::deque<uint64_t> in_doubt_order_;           // its keys, the oldest first
  std::vector<std::stop_source> stopped_;
};

}  // namespace sluice::internal
