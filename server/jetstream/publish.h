#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "jetstream/connection.h"

namespace sluice::jetstream {

// What a stream says of a message that it has stored.
struct PubAck {
  std::string stream;
  uint64_t sequence = 0;
  bool duplicate = false;  // it has had one of this Nats-Msg-Id within its duplicate window, and stored nothing
};
using PubAckCallback = absl::AnyInvocable<void(const absl::StatusOr<PubAck>&)>;

// From the answer to a publication on `subject`. UNAVAILABLE: the stream refused it, and why. FAILED_PRECONDITION: it
// is not a stream that has answered.
absl::StatusOr<PubAck> ParsePubAck(absl::string_view text, absl::string_view subject);

// Publishes, and waits for the stream's word. Errors as ParsePubAck(), and UNAVAILABLE: no stream holds `subject`, or
// the connection went · DEADLINE_EXCEEDED: no answer, so that it may have been stored. A header without a name, which
// NATS clients cannot send, is left out and logged. `owner`: as for Connection::Request(). Loop only.
void PublishToStream(Connection* connection, const Connection::Listener* owner, const std::string& subject,
                     std::vector<std::pair<std::string, std::string>> headers, absl::string_view payload,
                     absl::Duration timeout, PubAckCallback done);

}  // namespace sluice::jetstream
