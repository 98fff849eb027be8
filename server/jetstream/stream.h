#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "jetstream/connection.h"

namespace sluice::jetstream {

// A stream of one's own, for as long as one needs it. The daemon makes none: streams belong to those who publish.
struct StreamConfig {
  std::string name;
  std::vector<std::string> subjects;
  bool work_queue = false;          // a message is deleted once it is acked
  absl::Duration duplicate_window;  // how long the server remembers a `Nats-Msg-Id`
};

using StreamCallback = absl::AnyInvocable<void(const absl::Status&)>;

inline constexpr absl::Duration kStreamTimeout = absl::Seconds(5);

// FAILED_PRECONDITION: the server refused it, and says why · UNAVAILABLE: no JetStream there. `owner` is whose request
// it is, as for Connection::Request(). Loop only.
void CreateStream(Connection* connection, const Connection::Listener* owner, const StreamConfig& config,
                  StreamCallback done);
// With all its messages and consumers. OK too if there is none.
void DeleteStream(Connection* connection, const Connection::Listener* owner, const std::string& name,
                  StreamCallback done);

}  // namespace sluice::jetstream
