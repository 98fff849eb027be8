#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/intrusive_list.h"
#include "core/message.h"

namespace sluice::core {

class Session;
struct Lane;

// One attempt at one message, from its receipt until it is settled or given up. Owned by InFlight; its address is
// stable. Loop only.
//
//   READY <--> QUEUED --> HELD --> EXPIRED
//    ^ |                 |  |
//    | '--> RELEASING <--|--'
//    '----> WAITING <----'
//   any --> DEAD_LETTER --> RELEASING
//   HELD, DEAD_LETTER --> FINISHED --> RELEASING
//
// WAITING    with an ordering only: behind another message of its key, or for its next attempt; its Lane has it
// READY      no session has it: Dispatcher's queue
// QUEUED     a session has it, its app has not been given it: the session's next frame
// HELD       it was written to the app
// EXPIRED    its lease ended while an app had it; only a late verdict can come
// DEAD_LETTER  no app gets it any more: it is being published as a dead letter
// FINISHED  with ack_policy: all only: settled by its app, and JetStream hears of it when all before it are
// (ack_floor.h) RELEASING  to be NAKed as soon as that does not bounce it straight back into a pull of this consumer
struct Delivery {
  enum class State : uint8_t { kWaiting, kReady, kQueued, kHeld, kExpired, kDeadLetter, kFinished, kReleasing };

  Message message;
  size_t bytes = 0;  // of byte credit
  uint64_t id = 0;   // names it to apps; unique within the consumer for the life of the daemon
  State state = State::kReady;
  bool live = false;           // InFlight's: the slot is in use
  bool awaited = false;        // the report of the daemon's drain counts it as awaited
  uint64_t claimant = 0;       // RELEASING or DEAD_LETTER by its app's verdict: the session that waits for the server's
                               // word; 0: none
  Session* session = nullptr;  // null unless QUEUED, HELD or EXPIRED

  // Of resumable streams (consumer_resume.cc).
  absl::string_view token;          // of the hand-over under way, and for its time; empty: none
  int64_t consumer_created_ns = 0;  // of the durable that delivered it
  bool foreign = false;   // adopted from the token of another daemon process: of its message only the reply is here
  bool in_doubt = false;  // foreign, and JetStream may have delivered it again meanwhile

  // With an ordering.
  bool occupant = false;  // its lane's, see Lanes::Occupy()
  Lane* lane = nullptr;   // until it leaves it: settled, given back, or expired
  absl::string_view key;  // a view of the message
  uint32_t failures = 0;  // attempts that failed and are repeated from here, so that JetStream does not know of them
  absl::Time not_before = absl::InfinitePast();  // of the next attempt

  absl::Time received;                        // by this daemon
  absl::Time given = absl::InfiniteFuture();  // to the app that holds it, by this daemon; else InfiniteFuture
  absl::Duration ack_wait;                    // of this attempt
  absl::Time ready_since;                     // when it last became READY
  absl::Time ack_deadline;                    // the server hears of it by then, or delivers it again
  absl::Time lease_end;                       // no extension after this

  base::ListLink place;  // WAITING: its lane; READY: Dispatcher's queue; QUEUED, HELD, EXPIRED: its session's lists;
                         // FINISHED, RELEASING: Consumer's
  base::ListLink lease;  // LeaseKeeper's

  uint64_t stream_sequence() const { return message.stream_sequence; }
  // Attempts with its message, from 1, this one included: those of JetStream and those from here.
  uint64_t attempt() const { return message.num_delivered + failures; }
};

using DeliveryList = base::IntrusiveList<Delivery, &Delivery::place>;

}  // namespace sluice::core
