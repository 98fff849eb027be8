#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/durable_config.h"
#include "core/message_source.h"
#include "nlohmann/json.hpp"

namespace sluice::jetstream {

// A consumer's configuration in JetStream's JSON, which is spoken here directly: cnats 3.4's structs lack fields, and
// an update through them erases what they lack.

// "explicit", unless something else is wanted.
std::string AckPolicy(const core::DurableConfig& wanted);

// For CONSUMER.CREATE of a consumer that does not exist.
nlohmann::json NewConsumerConfig(absl::string_view durable, const core::DurableConfig& wanted);

// For an update: `current`, as the server told it, with what is wanted and may change. Fields that Sluice does not know
// survive; those that JetStream fixes at creation (deliver policy, replay policy, storage) stay as they are.
nlohmann::json UpdatedConsumerConfig(nlohmann::json current, const core::DurableConfig& wanted);

// Which fields to compare.
enum class Fields {
  kAll,
  kMutable,  // not those fixed at creation
  kFixed,    // only those
};

// One field in which a consumer is not as wanted.
struct Difference {
  std::string field;   // "ack_wait", "metadata.team"
  std::string wanted;  // both as a person writes them: "10s", "[a, b]"
  std::string got;
};

// Each field that `wanted` has, and the consumer has otherwise.
std::vector<Difference> CompareConsumerConfig(const nlohmann::json& current, const core::DurableConfig& wanted,
                                              Fields fields);

// FAILED_PRECONDITION names each field in which the consumer is not as wanted: what was wanted, and what the server
// has.
absl::Status VerifyConsumerConfig(const nlohmann::json& current, const core::DurableConfig& wanted, Fields fields);

// FAILED_PRECONDITION if the consumer is one that Sluice cannot serve at all, whoever manages it: it must be pulled
// from, and acked as configured.
absl::Status CheckServable(const nlohmann::json& current, const core::DurableConfig& wanted);

// What of the server's `current` has a place in ours.
core::DurableConfig ParseDurableConfig(const nlohmann::json& current);

// From the answer to CONSUMER.INFO or CONSUMER.CREATE.
core::ConsumerInfo ParseConsumerInfo(const nlohmann::json& reply, absl::Time now);

}  // namespace sluice::jetstream
