#include "jetstream/consumer_config.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "jetstream/pinned_client.h"
#include "jetstream/server_version.h"

namespace sluice::jetstream {
namespace {

using core::DurableConfig;
using nlohmann::json;

// --- reading: any field may be absent or of another type, for it comes from outside ---

const json* Find(const json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

int64_t IntAt(const json& object, const char* key, int64_t otherwise = 0) {
  const json* value = Find(object, key);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : otherwise;
}

uint64_t CountAt(const json& object, const char* key) {
  return static_cast<uint64_t>(std::max<int64_t>(0, IntAt(object, key)));
}

std::string TextAt(const json& object, const char* key, absl::string_view otherwise = "") {
  const json* value = Find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string(otherwise);
}

bool BoolAt(const json& object, const char* key) {
  const json* value = Find(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

const json& ObjectAt(const json& object, const char* key) {
  static const json* const kEmpty = new json(json::object());
  const json* value = Find(object, key);
  return value != nullptr && value->is_object() ? *value : *kEmpty;
}

std::vector<int64_t> IntsAt(const json& object, const char* key) {
  std::vector<int64_t> ints;
  const json* value = Find(object, key);
  if (value == nullptr || !value->is_array()) return ints;
  for (const json& element : *value) ints.push_back(element.is_number_integer() ? element.get<int64_t>() : 0);
  return ints;
}

std::vector<std::string> TextsAt(const json& object, const char* key) {
  std::vector<std::string> texts;
  const json* value = Find(object, key);
  if (value == nullptr || !value->is_array()) return texts;
  for (const json& element : *value) texts.push_back(element.is_string() ? element.get<std::string>() : "");
  std::sort(texts.begin(), texts.end());
  return texts;
}

// One filter and several are different fields in JetStream; no other difference is meant by it.
std::vector<std::string> FiltersOf(const json& config) {
  std::vector<std::string> filters;
  const std::string single = TextAt(config, "filter_subject");
  if (!single.empty()) filters.push_back(single);
  const json* several = Find(config, "filter_subjects");
  if (several != nullptr && several->is_array()) {
    for (const json& filter : *several) {
      if (filter.is_string()) filters.push_back(filter.get<std::string>());
    }
  }
  std::sort(filters.begin(), filters.end());
  return filters;
}

// --- writing ---

template <typename T>
void Put(json& config, const char* key, const std::optional<T>& value) {
  if (value.has_value()) config[key] = *value;
}

void Put(json& config, const char* key, const std::optional<absl::Duration>& value) {
  if (value.has_value()) config[key] = absl::ToInt64Nanoseconds(*value);
}

json Nanoseconds(const std::vector<absl::Duration>& durations) {
  json list = json::array();
  for (const absl::Duration duration : durations) list.push_back(absl::ToInt64Nanoseconds(duration));
  return list;
}

void PutFilters(json& config, const std::vector<std::string>& filters) {
  if (filters.empty()) return;
  config.erase("filter_subject");
  config.erase("filter_subjects");
  if (filters.size() == 1) {
    config["filter_subject"] = filters.front();
  } else {
    config["filter_subjects"] = filters;
  }
}

void PutMutable(json& config, const DurableConfig& wanted) {
  Put(config, "description", wanted.description);
  PutFilters(config, wanted.filter_subjects);
  Put(config, "ack_wait", wanted.ack_wait);
  Put(config, "max_deliver", wanted.max_deliver);
  Put(config, "max_ack_pending", wanted.max_ack_pending);
  Put(config, "max_waiting", wanted.max_waiting);
  if (!wanted.backoff.empty()) config["backoff"] = Nanoseconds(wanted.backoff);
  Put(config, "inactive_threshold", wanted.inactive_threshold);
  Put(config, "num_replicas", wanted.num_replicas);
  for (const auto& [key, value] : wanted.metadata) config["metadata"][key] = value;
  if (!wanted.priority_groups.empty()) config["priority_groups"] = wanted.priority_groups;
  Put(config, "priority_policy", wanted.priority_policy);
  Put(config, "priority_timeout", wanted.priority_timeout);
}

// --- comparing ---

class Differences {
 public:
  template <typename T>
  void Compare(absl::string_view field, const T& wanted, const T& got) {
    if (!(wanted == got)) Add(field, absl::StrCat(wanted), absl::StrCat(got));
  }
  void Compare(absl::string_view field, const std::string& wanted, const std::string& got) {
    if (wanted != got) Add(field, absl::StrCat("\"", wanted, "\""), absl::StrCat("\"", got, "\""));
  }
  void Compare(absl::string_view field, absl::Duration wanted, int64_t got_ns) {
    const absl::Duration got = absl::Nanoseconds(got_ns);
    if (wanted != got) Add(field, absl::FormatDuration(wanted), absl::FormatDuration(got));
  }
  void Compare(absl::string_view field, std::vector<std::string> wanted, const std::vector<std::string>& got) {
    std::sort(wanted.begin(), wanted.end());
    if (wanted != got) Add(field, List(wanted), List(got));
  }
  void Add(absl::string_view field, absl::string_view wanted, absl::string_view got) {
    found_.push_back({std::string(field), std::string(wanted), std::string(got)});
  }

  std::vector<Difference> Take() { return std::move(found_); }

 private:
  static std::string List(const std::vector<std::string>& texts) {
    return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
  }

  std::vector<Difference> found_;
};

void CompareBackoff(const json& current, const DurableConfig& wanted, Differences& differences) {
  if (wanted.backoff.empty()) return;
  const std::vector<int64_t> got = IntsAt(current, "backoff");
  const std::vector<int64_t> want = Nanoseconds(wanted.backoff).get<std::vector<int64_t>>();
  if (got == want) return;
  const auto format = [](std::string* out, int64_t ns) { *out += absl::FormatDuration(absl::Nanoseconds(ns)); };
  differences.Add("backoff", absl::StrCat("[", absl::StrJoin(want, ", ", format), "]"),
                  absl::StrCat("[", absl::StrJoin(got, ", ", format), "]"));
}

void CompareMutable(const json& current, const DurableConfig& wanted, Differences& differences) {
  if (wanted.description) differences.Compare("description", *wanted.description, TextAt(current, "description"));
  if (!wanted.filter_subjects.empty()) {
    differences.Compare("filter_subjects", wanted.filter_subjects, FiltersOf(current));
  }
  // A backoff replaces ack_wait: the server then tells its first step.
  if (wanted.ack_wait && wanted.backoff.empty()) {
    differences.Compare("ack_wait", *wanted.ack_wait, IntAt(current, "ack_wait"));
  }
  if (wanted.max_deliver) differences.Compare("max_deliver", *wanted.max_deliver, IntAt(current, "max_deliver", -1));
  if (wanted.max_ack_pending) {
    differences.Compare("max_ack_pending", *wanted.max_ack_pending, IntAt(current, "max_ack_pending"));
  }
  if (wanted.max_waiting) differences.Compare("max_waiting", *wanted.max_waiting, IntAt(current, "max_waiting"));
  CompareBackoff(current, wanted, differences);
  if (wanted.inactive_threshold) {
    differences.Compare("inactive_threshold", *wanted.inactive_threshold, IntAt(current, "inactive_threshold"));
  }
  if (wanted.num_replicas) differences.Compare("num_replicas", *wanted.num_replicas, IntAt(current, "num_replicas"));
  if (!wanted.priority_groups.empty()) {
    differences.Compare("priority_groups", wanted.priority_groups, TextsAt(current, "priority_groups"));
  }
  if (wanted.priority_policy) {
    differences.Compare("priority_policy", *wanted.priority_policy, TextAt(current, "priority_policy", "none"));
  }
  if (wanted.priority_timeout) {
    differences.Compare("priority_timeout", *wanted.priority_timeout, IntAt(current, "priority_timeout"));
  }
  const json& metadata = ObjectAt(current, "metadata");
  for (const auto& [key, value] : wanted.metadata) {
    differences.Compare(absl::StrCat("metadata.", key), value, TextAt(metadata, key.c_str()));
  }
}

void CompareStartTime(const std::string& wanted, const std::string& got, Differences& differences) {
  absl::Time wanted_time, got_time;
  const bool same = absl::ParseTime(absl::RFC3339_full, wanted, &wanted_time, nullptr) &&
                    absl::ParseTime(absl::RFC3339_full, got, &got_time, nullptr) && wanted_time == got_time;
  if (!same) differences.Compare("opt_start_time", wanted, got);
}

void CompareFixed(const json& current, const DurableConfig& wanted, Differences& differences) {
  if (wanted.deliver_policy) {
    differences.Compare("deliver_policy", *wanted.deliver_policy, TextAt(current, "deliver_policy", "all"));
  }
  if (wanted.opt_start_seq)
    differences.Compare("opt_start_seq", *wanted.opt_start_seq, CountAt(current, "opt_start_seq"));
  if (wanted.opt_start_time) CompareStartTime(*wanted.opt_start_time, TextAt(current, "opt_start_time"), differences);
  if (wanted.replay_policy) {
    differences.Compare("replay_policy", *wanted.replay_policy, TextAt(current, "replay_policy", "instant"));
  }
  if (wanted.mem_storage) {
    differences.Compare("mem_storage", *wanted.mem_storage, BoolAt(current, "mem_storage"));
  }
}

}  // namespace

std::string AckPolicy(const DurableConfig& wanted) { return wanted.ack_policy.value_or("explicit"); }

json NewConsumerConfig(absl::string_view durable, const DurableConfig& wanted) {
  json config = {{"durable_name", std::string(durable)},
                 {"name", std::string(durable)},
                 {"ack_policy", AckPolicy(wanted)},
                 {"deliver_policy", wanted.deliver_policy.value_or("all")},
                 {"replay_policy", wanted.replay_policy.value_or("instant")}};
  PutMutable(config, wanted);
  Put(config, "opt_start_seq", wanted.opt_start_seq);
  Put(config, "opt_start_time", wanted.opt_start_time);
  Put(config, "mem_storage", wanted.mem_storage);
  return config;
}

json UpdatedConsumerConfig(json current, const DurableConfig& wanted) {
  PutMutable(current, wanted);
  return current;
}

std::vector<Difference> CompareConsumerConfig(const json& current, const DurableConfig& wanted, Fields fields) {
  Differences differences;
  if (fields != Fields::kFixed) CompareMutable(current, wanted, differences);
  if (fields != Fields::kMutable) CompareFixed(current, wanted, differences);
  return differences.Take();
}

absl::Status VerifyConsumerConfig(const json& current, const DurableConfig& wanted, Fields fields) {
  const std::vector<Difference> differences = CompareConsumerConfig(current, wanted, fields);
  if (differences.empty()) return absl::OkStatus();
  const auto format = [](std::string* out, const Difference& d) {
    absl::StrAppend(out, d.field, ": wanted ", d.wanted, ", the server has ", d.got);
  };
  return absl::FailedPreconditionError(absl::StrJoin(differences, "; ", format));
}

absl::Status CheckServable(const json& current, const DurableConfig& wanted) {
  if (!TextAt(current, "deliver_subject").empty()) {
    return absl::FailedPreconditionError(
        "it is a push consumer; Sluice needs a pull consumer, without deliver_subject");
  }
  const std::string ack_policy = TextAt(current, "ack_policy");
  if (ack_policy != AckPolicy(wanted)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "its ack_policy is \"", ack_policy, "\", and not \"", AckPolicy(wanted),
        "\"; JetStream fixes it when it creates a consumer: correct config.ack_policy, or choose another durable"));
  }
  return absl::OkStatus();
}

DurableConfig ParseDurableConfig(const json& current) {
  DurableConfig config;
  config.description = TextAt(current, "description");
  config.filter_subjects = FiltersOf(current);
  config.deliver_policy = TextAt(current, "deliver_policy", "all");
  config.replay_policy = TextAt(current, "replay_policy", "instant");
  config.ack_wait = absl::Nanoseconds(IntAt(current, "ack_wait"));
  config.max_deliver = IntAt(current, "max_deliver", -1);
  config.max_ack_pending = IntAt(current, "max_ack_pending");
  config.max_waiting = IntAt(current, "max_waiting");
  for (const int64_t step : IntsAt(current, "backoff")) config.backoff.push_back(absl::Nanoseconds(step));
  config.inactive_threshold = absl::Nanoseconds(IntAt(current, "inactive_threshold"));
  config.num_replicas = IntAt(current, "num_replicas");
  config.mem_storage = BoolAt(current, "mem_storage");
  config.priority_groups = TextsAt(current, "priority_groups");
  config.priority_policy = TextAt(current, "priority_policy", "none");
  config.priority_timeout = absl::Nanoseconds(IntAt(current, "priority_timeout"));
  return config;
}

core::ConsumerInfo ParseConsumerInfo(const json& reply, absl::Time now) {
  const json& config = ObjectAt(reply, "config");
  core::ConsumerInfo info;
  const int64_t ack_wait = IntAt(config, "ack_wait");
  if (ack_wait > 0) info.ack_wait = absl::Nanoseconds(ack_wait);
  for (const int64_t step : IntsAt(config, "backoff")) info.backoff.push_back(absl::Nanoseconds(step));
  info.max_deliver = IntAt(config, "max_deliver", -1);
  info.max_ack_pending = IntAt(config, "max_ack_pending");
  info.max_request_batch = IntAt(config, "max_batch");
  info.max_request_max_bytes = IntAt(config, "max_bytes");
  info.max_request_expires = absl::Nanoseconds(IntAt(config, "max_expires"));
  // Its own clock decides: what remains is free of the difference between the server's and ours.
  if (const int64_t remaining = IntAt(reply, "pause_remaining"); remaining > 0) {
    info.paused_until = now + absl::Nanoseconds(remaining);
  }
  if (absl::Time created; absl::ParseTime(absl::RFC3339_full, TextAt(reply, "created"), &created, nullptr)) {
    info.created_ns = absl::ToUnixNanos(created);
  }
  const json& ack_floor = ObjectAt(reply, "ack_floor");
  info.ack_floor = CountAt(ack_floor, "stream_seq");
  info.ack_floor_consumer_sequence = CountAt(ack_floor, "consumer_seq");
  info.num_pending = CountAt(reply, "num_pending");
  info.num_ack_pending = CountAt(reply, "num_ack_pending");
  const json& delivered = ObjectAt(reply, "delivered");
  info.delivered_consumer_sequence = CountAt(delivered, "consumer_seq");
  info.delivered_stream_sequence = CountAt(delivered, "stream_seq");
  info.pinned_client_id = PinnedClientId(reply);
  info.priority_timeout = absl::Nanoseconds(IntAt(config, "priority_timeout"));
  info.term_reason = LeaderTakesTermReason(reply);
  return info;
}

}  // namespace sluice::jetstream
