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
#include "core/settlement.h"

namespace sluice::core {

class Consumer;

// One app: its credit, what waits for its next frame, what it holds. Outlives its stream while a client id may come back
// for what was held. Owned by its Consumer. Loop only.
//
//   OPEN --OnDrain, daemon's drain--> DRAINING --> ended
//     '--OnBroken with a client id--> DETACHED --resumed, or the window is over--> ended
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

  // --- for Consumer ---
};

}  // namespace sluice::core
