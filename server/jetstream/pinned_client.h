#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/durable_config.h"
#include "core/message.h"
#include "nlohmann/json.hpp"

namespace sluice::jetstream {

// What ordering: exclusive needs of JetStream: a pinned client, from nats-server 2.11 on.

// Moves the Nats-Pin-Id that the server has added to the message into `pin_id`. It adds it last; an earlier one of this
// name is the publisher's, and stays.
void TakePinId(core::Message& message);

// What the answer to CONSUMER.UNPIN says.
absl::Status UnpinStatus(const absl::StatusOr<absl::string_view>& answer);

// FAILED_PRECONDITION if the consumer with this configuration, as the server told it, has no pinned client for
// `wanted`, and what to do about it. `written`: it is the echo of what we have just sent, so that what is missing there
// is what the server does not know. OK if `wanted` asks for none.
absl::Status CheckPinnedClient(const nlohmann::json& current, const core::DurableConfig& wanted, bool written);

// The pin that is in force, by the answer to CONSUMER.INFO; empty: none.
std::string PinnedClientId(const nlohmann::json& info_reply);

}  // namespace sluice::jetstream
