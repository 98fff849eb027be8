#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace sluice::jetstream {

// False if `version` ("2.10.4", "v2.11.0-RC.1") is older than major.minor.patch, or unreadable.
bool VersionAtLeast(absl::string_view version, int major, int minor, int patch);

// Whether the server that leads the consumer reads "+TERM <reason>" (from 2.10.4; older ones ignore the whole verdict),
// judged by its answer to CONSUMER.INFO. The leader may be older than the server that Sluice is connected to, and an
// answer does not name its version before 2.11; but it has a `ts` from 2.10.0 on. So this is wrong for 2.10.0 to 2.10.3
// only, which the version of the connected server tells (Connection).
bool LeaderTakesTermReason(const nlohmann::json& info_reply);

// Reads the INFO line with which a nats-server greets, for its version, which cnats does not tell. Blocks, at most for
// `timeout` (beside the resolution of the name). An error if the server speaks TLS from the first byte.
absl::StatusOr<std::string> ReadServerVersion(const std::string& host, const std::string& port, absl::Duration timeout);

}  // namespace sluice::jetstream
