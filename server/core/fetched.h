#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/delivery.h"
#include "core/gone_delivery.h"
#include "core/session.h"
#include "core/settlement.h"

namespace sluice::core {

class Consumer;

// What a Settle names: a delivery of this daemon process, or one that an earlier one gave.
struct SettleTarget {
  uint64_t id = 0;
  std::optional<GoneDelivery> foreign = {};  // null: it is `id`
};
// What became of the verdicts of one Settle: `ids` are positions in it.
using SettleAnswers = std::vector<SettleResultsNotice::Result>;
// May be called from within a call of core's, and calls nothing of core's.
using SettleCallback = absl::AnyInvocable<void(SettleAnswers)>;

// All that Fetch has handed out and nobody has settled: one session without credit, the app of which is whoever calls
// Settle. Each message has a lease of its own; at its end it is NAKed, and so with another app at once, where silence
// would have it wait for the ack wait. Owned by UnaryAccess. Loop only.
class Fetched final : private AppStream {
 public:
  // A Settle is answered by then, whatever the server says.
  static constexpr absl::Duration kSettleTimeout = absl::Seconds(5);
  // So many messages whose lease is over are remembered, the last ones, so that a late ACK may still spare a duplicate.
  static constexpr size_t kMostRemembered = 4096;

  Fetched(Consumer* consumer, base::Timers* timers) : consumer_(consumer), timers_(timers), lease_timer_(timers) {}
  Fetched(const Fetched&) = delete;
  Fetched& operator=(const Fetched&) = delete;

  // Before the first Take(); does nothing if it is open. UNAVAILABLE while draining.
  absl::Status Open();
  bool is_open() const { return session_ != nullptr; }

  // Takes over all that `from` holds, leased from now on. Ascending, with tokens until the next call.
  std::vector<const Delivery*> Take(Session* from, absl::Duration lease);
  // These did not reach their caller: they go back at once.
  void Return(absl::Span<const uint64_t> ids);
  // Applies one verdict to deliveries that are held here; what is named twice counts once. Of what is held no more only
  // an ACK can do good, which is forwarded: LATE after the lease, once it has gone back; of an earlier process,
  // whatever the server says.
  void Settle(absl::Span<const SettleTarget> targets, const Settlement& settlement, SettleCallback callback);

  size_t leased() const { return leases_.size(); }

 private:
  struct Lease {
    absl::Duration length;
    absl::Time end;
  };
  // A Settle that waits for the server's word.
  struct Call {
    Call(base::Timers* timers, SettleCallback callback) : callback(std::move(callback)), timeout(timers) {}
    absl::flat_hash_map<uint64_t, uint64_t> positions;  // by id: still to be answered
    SettleAnswers answers;
    SettleCallback callback;
    base::Timer timeout;
  };

  // AppStream: what core says to the session's app.
  bool writable() const override { return true; }
  void Deliver(absl::Span<const Delivery* const> batch) override;
  void Tell(Notice notice) override;
  void Finish(absl::Status status) override;

  void SetLease(uint64_t id, absl::Duration length);
  void EndLease(uint64_t id);
  void ArmLeaseTimer();
  void EndLeasesDue();
  void GiveBack(absl::Span<const uint64_t> ids);
  // Of `targets`, what is held here; of the others it answers, or forwards the ACK.
  std::vector<uint64_t> ReadTargets(uint64_t call, absl::Span<const SettleTarget> targets, Verdict verdict);
  void Remember(const Delivery& delivery);
  void OnResult(const SettleResultsNotice::Result& result);
  void Answer(uint64_t call, SettleOutcome outcome, const std::vector<uint64_t>& ids, const std::string& detail);
  void FailRest(uint64_t call, const std::string& detail);
  void FinishIfAnswered(uint64_t call);

  Consumer* const consumer_;
  base::Timers* const timers_;
  Session* session_ = nullptr;  // null: nothing was fetched yet, or the drain is over
  bool drained_ = false;

  std::deque<std::string> tokens_;                        // of what was taken last
  absl::flat_hash_map<uint64_t, Lease> leases_;           // by id
  std::set<std::pair<absl::Time, uint64_t>> lease_ends_;  // of the same
  base::Timer lease_timer_;
  absl::flat_hash_map<uint64_t, GoneDelivery> remembered_;  // by id
  std::deque<uint64_t> remembered_order_;                   // of the same, and of some that are gone

  uint64_t last_call_ = 0;
  uint64_t settling_ = 0;  // the call that is being applied; 0: none
  uint64_t last_foreign_ = 0;
  std::map<uint64_t, Call> calls_;
  absl::flat_hash_map<uint64_t, uint64_t> claims_;  // by id: the call that waits for the server's word on it
};

}  // namespace sluice::core
