#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sluice::core {

// Who looks after the durable consumer on the server.
enum class Manage {
  kEnsure,  // Sluice creates or updates it, and checks what the server made of it
  kVerify,  // Sluice checks that it is as configured, and changes nothing
  kOff,     // it is used as it is
};

// What a durable consumer should be on the server, in JetStream's own terms. An absent field is not sent, not checked,
// and left to the server's default; in an update it keeps the value that the consumer has.
struct DurableConfig {
  std::optional<std::string> description;
  std::vector<std::string> filter_subjects;  // empty: all of the stream; several need nats-server 2.10
  // all | last | new | by_start_sequence | by_start_time | last_per_subject. Only at creation.
  std::optional<std::string> deliver_policy;
  std::optional<uint64_t> opt_start_seq;
  std::optional<std::string> opt_start_time;  // RFC 3339
  std::optional<std::string> replay_policy;   // instant | original
  std::optional<std::string> ack_policy;      // explicit | all; absent: explicit. Only at creation.
  std::optional<absl::Duration> ack_wait;
  std::optional<int64_t> max_deliver;                // -1: no limit
  std::optional<int64_t> max_ack_pending;            // -1: no limit
  std::optional<int64_t> max_waiting;                // pulls the server keeps; at least the size of the fleet
  std::vector<absl::Duration> backoff;               // by attempt; overrides ack_wait
  std::optional<absl::Duration> inactive_threshold;  // the server deletes it after this long without a pull
  std::optional<int64_t> num_replicas;
  std::optional<bool> mem_storage;
  std::map<std::string, std::string> metadata;  // needs nats-server 2.10
  // Of a pinned client (ordering: exclusive), which needs nats-server 2.11.
  std::vector<std::string> priority_groups;  // empty: none
  std::optional<std::string> priority_policy;
  std::optional<absl::Duration> priority_timeout;
};

}  // namespace sluice::core
