#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/delivery.h"
#include "core/drain_report.h"
#include "core/settlement.h"

namespace sluice::core {

// How much an app is willing to hold.
struct Credit {
  uint32_t messages = 256;
  uint64_t bytes = uint64_t{8} << 20;

  static constexpr uint32_t kMaxMessages = 1u << 20;
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
};

// A delivery of an earlier stream, maybe of another daemon process.
struct HeldToken {
  uint64_t held_id = 0;  // as the app calls it
  std::string token;
};

// The first request of a stream.
struct OpenRequest {
  std::string consumer;
  std::string client_id;
  Credit credit;
  uint32_t max_batch = kMaxBatch;
  bool confirm_settlements = false;                  // tell the server's word on each verdict
  bool resumable = false;                            // a token in each delivery
  std::vector<uint64_t> resume;                      // ids of an earlier stream of this client
  std::vector<HeldToken> tokens;                     // the same, where it has tokens; any bytes
  bool unary = false;                                // of Fetch, not an app's stream (unary_access.h)
  absl::Time wanted_until = absl::InfiniteFuture();  // nobody waits for what comes later

  static constexpr uint32_t kMaxBatch = 256;           // messages in a frame
  static constexpr size_t kMaxFrameBytes = 256 << 10;  // a frame ends here, unless it is one larger message
};

// What an app is told beside messages; see the messages of the same names in sluice.v1.
struct OpenedNotice {
  absl::Duration ack_wait = absl::ZeroDuration();  // 0: not known yet
  absl::Duration max_lease;
  Credit credit;
  uint32_t max_batch;
  std::vector<uint64_t> resumed;  // ids are the same as in the earlier stream
  struct Adopted {
    uint64_t held_id;
    uint64_t id;
  };
  std::vector<Adopted> adopted;  // those under a new id
  struct Refused {
    uint64_t held_id;
    std::string reason;
  };
  std::vector<Refused> refused;  // of the tokens
  std::string stream;
  std::string durable;
};
struct SettleResultsNotice {
  struct Result {
    SettleOutcome outcome;
    std::vector<uint64_t> ids;
    std::string detail;
  };
  std::vector<Result> results;
};
// The values are those of sluice.v1.State.Kind.
enum class ConsumerState : uint8_t {
  kServing = 1,
  kNatsDown = 2,
  kConsumerMissing = 3,
  kConsumerInvalid = 4,
  kPaused = 5,
  kPinnedElsewhere = 6,
  kProbing = 7,
};
absl::string_view ConsumerStateName(ConsumerState state);  // "SERVING", ...
struct StateNotice {
  ConsumerState state;
  std::string detail;
  bool operator==(const StateNotice&) const = default;
};
struct LeasesEndedNotice {
  std::vector<uint64_t> ids;
};
// The values are those of sluice.v1.Draining.Reason.
enum class DrainReason : uint8_t { kDaemon = 1, kApp = 2 };
struct DrainingNotice {
  DrainReason reason;
  absl::Time deadline;
};
struct DrainedNotice {
  DrainReport report;
};
using Notice =
    std::variant<OpenedNotice, SettleResultsNotice, StateNotice, LeasesEndedNotice, DrainingNotice, DrainedNotice>;

// Port: the write side of one app stream. rpc/ implements it over gRPC, test/support with a recorder. Loop only;
// nothing blocks and nothing calls back from within a call.
class AppStream {
 public:
  virtual ~AppStream() = default;

  // True if nothing is being written and no notice waits. When it turns true again, Session::OnWritable() is called.
  virtual bool writable() const = 0;
  // Writes one frame. Only while writable; copies what it needs.
  virtual void Deliver(absl::Span<const Delivery* const> batch) = 0;
  // Writes it as soon as possible, in the order of the calls.
  virtual void Tell(Notice notice) = 0;
  // Ends the stream after what was told. The last call: core forgets the stream, and the stream its session.
  virtual void Finish(absl::Status status) = 0;
};

}  // namespace sluice::core
