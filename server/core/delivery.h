#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "base/intrusive_list.h"
#include "core/message.h"

namespace sluice::core {

class Session;

// One attempt at one message, from its receipt until it is settled or given up. Owned by InFlight; its address is
// stable. Loop only.
//
//   READY ----> QUEUED ----> HELD ----> EXPIRED
//     ^------------'----------'
//
// READY    no session has it: Consumer's queue
// QUEUED   a session has it, its app has not been given it: the next frame
// HELD     it was written to the app
// EXPIRED  its lease ended while an app had it; only a late verdict can come
struct Delivery {
  enum class State : uint8_t { kReady, kQueued, kHeld, kExpired };

  Message message;
  size_t bytes = 0;  // of byte credit
  uint64_t id = 0;   // names it to apps; unique within the consumer for the life of the daemon
  State state = State::kReady;
  Session* session = nullptr;  // null while READY

  absl::Duration ack_wait;    // of this attempt
  absl::Time received;        // by the loop
  absl::Time ready_since;     // when it last became READY
  absl::Time ack_deadline;    // the server counts on hearing by then
  absl::Time lease_end;       // no extension beyond

  base::ListLink place;  // in Consumer's ready queue, or in its session's queue or holdings
  base::ListLink lease;  // in LeaseKeeper
};

}  // namespace sluice::core
