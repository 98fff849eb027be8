#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "core/consumer_options.h"
#include "core/message_source.h"

namespace sluice::core {

// What the apps would take now.
struct Demand {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  bool idle_session = false;  // some app with credit holds nothing: it would take a message of any size
  bool redelivery = false;    // something is to come again, for which max_ack_pending has a place already
  absl::Duration wanted_for = absl::InfiniteDuration();  // nobody waits any longer
};

// How much to ask the server for and for how long, and what is still to come of it. One pull is open at a time, so that
// equal pods get equal shares and a drain has one end to wait for; so all that comes, comes of it. Loop only.
//
// A drain cannot end a pull, only wait for its end; and what comes meanwhile goes back to the server only then. So
// while messages come, a pull is open for about as long as kPerPull of them take, and where nothing comes, each for
// twice as long as the one before, up to `pull.expires`.
class PullWindow {
 public:
  explicit PullWindow(const ConsumerOptions& options) : options_(options) {}

  // A pull is open for no less: where nobody waits any longer, what it brings is for the next one who asks.
  static constexpr absl::Duration kLeastExpires = absl::Milliseconds(100);
  // An eighth of a request more for each message; a choice, not a measurement.
  static constexpr uint64_t kPerPull = 8;
  // The least time that kPerPull are waited for. Between two pulls is a round trip without one.
  static constexpr absl::Duration kShortest = absl::Milliseconds(20);

  // What the server allows; with each CONSUMER.INFO.
  void SetLimits(const ConsumerInfo& info);

  // False for a small refill: the apps still hold more than they would take. Quick apps free the rest in a moment, and
  // answering each of their verdicts with a pull of its own would keep all batches small for good.
  bool WorthAPull(const Demand& demand, uint64_t in_flight) const {
    return demand.messages >= std::min<uint64_t>(in_flight, options_.pull_batch);
  }
  // The pull to open now; none if one is open or nothing is wanted. `in_flight`: messages that wait for their verdict
  // here.
  std::optional<PullRequest> Open(const Demand& demand, uint64_t in_flight);
  // True if these were the last of the batch.
  bool OnMessages(uint64_t count);
  // The server ended it, and will not send `unsent` of its batch, if it told. True if nothing is to come any more.
  // False if it counts as sent what has not come yet: from 2.12 on a replicated consumer holds each message back until
  // its followers know of it, and "Batch Completed" overtakes the last ones.
  bool OnEnded(std::optional<uint64_t> unsent);
  // The next message did not fit into its bytes.
  void OnMessageTooLarge();
  // It is gone: nothing comes of it any more.
  void Close() { remaining_ = 0; }
  // After its end, whichever it was, and `lasted` from Open() on: what it brought in that time is the pace of the next.
  void SetPace(absl::Duration lasted);

  bool is_open() const { return remaining_ > 0; }
  uint64_t open_id() const { return last_id_; }
  absl::Duration heartbeat() const;  // of the last pull

 private:
  absl::Duration Expires(const Demand& demand) const;
  uint64_t MaxBytes(const Demand& demand) const;

  const ConsumerOptions& options_;
  ConsumerInfo limits_;
  uint64_t last_id_ = 0;
  absl::Duration last_expires_;
  absl::Duration pace_ = absl::InfiniteDuration();  // in which kPerPull messages come
  uint64_t brought_ = 0;                            // by the last pull
  uint64_t remaining_ = 0;                          // of the open pull's batch, still to come
  bool ended_ = false;                              // by the server: what remains was sent
  uint64_t last_max_bytes_ = 0;                     // of the last pull
  uint64_t too_small_bytes_ = 0;                    // the next message did not fit in this; 0: not known
};

}  // namespace sluice::core
