#include "jetstream/consumer_config.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using core::DurableConfig;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

DurableConfig EverythingSet() {
  DurableConfig config;
  config.description = "orders";
  config.filter_subjects = {"orders.eu", "orders.us"};
  config.deliver_policy = "by_start_sequence";
  config.opt_start_seq = 17;
  config.replay_policy = "original";
  config.ack_wait = absl::Seconds(10);
  config.max_deliver = 5;
  config.max_ack_pending = 1000;
  config.max_waiting = 64;
  config.inactive_threshold = absl::Hours(1);
  config.num_replicas = 3;
  config.mem_storage = true;
  config.metadata = {{"team", "sales"}};
  return config;
}

std::string Verified(const json& current, const DurableConfig& wanted, Fields fields = Fields::kAll) {
  const absl::Status status = VerifyConsumerConfig(current, wanted, fields);
  EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
  return std::string(status.message());
}

TEST(ConsumerConfigTest, ANewOneSaysWhatIsWantedAndNothingElse) {
  EXPECT_EQ(NewConsumerConfig("worker", {}),
            json::parse(R"({"durable_name":"worker","name":"worker","ack_policy":"explicit","deliver_policy":"all",
                            "replay_policy":"instant"})"));
  EXPECT_EQ(NewConsumerConfig("worker", EverythingSet()),
            json::parse(R"({"durable_name":"worker","name":"worker","ack_policy":"explicit",
                            "deliver_policy":"by_start_sequence","opt_start_seq":17,"replay_policy":"original",
                            "description":"orders","filter_subjects":["orders.eu","orders.us"],"ack_wait":10000000000,
                            "max_deliver":5,"max_ack_pending":1000,"max_waiting":64,"inactive_threshold":3600000000000,
                            "num_replicas":3,"mem_storage":true,"metadata":{"team":"sales"}})"));
}

TEST(ConsumerConfigTest, OneFilterIsTheOldField) {
  DurableConfig wanted;
  wanted.filter_subjects = {"orders.eu"};
  const json config = NewConsumerConfig("worker", wanted);
  EXPECT_EQ(config.value("filter_subject", ""), "orders.eu");
  EXPECT_FALSE(config.contains("filter_subjects"));
}

TEST(ConsumerConfigTest, AnUpdateKeepsWhatItDoesNotKnow) {
  const json current = json::parse(R"({"durable_name":"worker","ack_wait":30000000000,"priority_groups":["g"],
      "deliver_policy":"all","filter_subject":"orders.>","max_waiting":512,"metadata":{"_nats.ver":"2.15.1","owner":"me"}})");
  DurableConfig wanted = EverythingSet();
  wanted.max_waiting.reset();
  const json updated = UpdatedConsumerConfig(current, wanted);
  EXPECT_EQ(updated["priority_groups"], json::parse(R"(["g"])"));
  EXPECT_EQ(updated["max_waiting"], 512);
  EXPECT_EQ(updated["ack_wait"], 10'000'000'000);
  EXPECT_EQ(updated["metadata"], json::parse(R"({"_nats.ver":"2.15.1","owner":"me","team":"sales"})"));
  EXPECT_FALSE(updated.contains("filter_subject")) << "replaced by the several";
  EXPECT_EQ(updated["deliver_policy"], "all") << "fixed at creation";
  EXPECT_FALSE(updated.contains("mem_storage")) << "fixed at creation";
}

TEST(ConsumerConfigTest, WhatWasCreatedAsWantedIsVerified) {
  EXPECT_EQ(Verified(NewConsumerConfig("worker", EverythingSet()), EverythingSet()), "");
  EXPECT_EQ(Verified(json::object(), {}), "");
}

TEST(ConsumerConfigTest, EachDifferenceIsNamedWithBothValues) {
  json current = NewConsumerConfig("worker", EverythingSet());
  const struct {
    const char* field;
    json value;
    const char* told;
  } kRows[] = {
      {"description", "other", "description: wanted \"orders\", the server has \"other\""},
      {"filter_subjects", json::array(), "filter_subjects: wanted [orders.eu, orders.us], the server has []"},
      {"deliver_policy", "all", "deliver_policy: wanted \"by_start_sequence\", the server has \"all\""},
      {"opt_start_seq", 18, "opt_start_seq: wanted 17, the server has 18"},
      {"replay_policy", "instant", "replay_policy: wanted \"original\", the server has \"instant\""},
      {"ack_wait", 30'000'000'000, "ack_wait: wanted 10s, the server has 30s"},
      {"max_deliver", -1, "max_deliver: wanted 5, the server has -1"},
      {"max_ack_pending", 20, "max_ack_pending: wanted 1000, the server has 20"},
      {"max_waiting", 512, "max_waiting: wanted 64, the server has 512"},
      {"inactive_threshold", 1'000'000'000, "inactive_threshold: wanted 1h, the server has 1s"},
      {"num_replicas", 1, "num_replicas: wanted 3, the server has 1"},
      {"mem_storage", false, "mem_storage: wanted 1, the server has 0"},
      {"metadata", json::object(), "metadata.team: wanted \"sales\", the server has \"\""},
  };
  for (const auto& row : kRows) {
    json changed = current;
    changed[row.field] = row.value;
    EXPECT_EQ(Verified(changed, EverythingSet()), row.told);
    changed[row.field] = json::parse(R"({"of":"another type"})");
    EXPECT_THAT(Verified(changed, EverythingSet()), HasSubstr(row.field));
  }
}

TEST(ConsumerConfigTest, FiltersAreComparedAsASetInEitherField) {
  DurableConfig wanted;
  wanted.filter_subjects = {"b", "a"};
  EXPECT_EQ(Verified(json::parse(R"({"filter_subjects":["a","b"]})"), wanted), "");
  wanted.filter_subjects = {"a"};
  EXPECT_EQ(Verified(json::parse(R"({"filter_subjects":["a"]})"), wanted), "");
  EXPECT_EQ(Verified(json::parse(R"({"filter_subject":"a"})"), wanted), "");
  EXPECT_NE(Verified(json::parse(R"({"filter_subject":"a.b"})"), wanted), "");
}

TEST(ConsumerConfigTest, ABackoffReplacesAckWait) {
  DurableConfig wanted;
  wanted.ack_wait = absl::Seconds(30);
  wanted.backoff = {absl::Seconds(1), absl::Seconds(5)};
  EXPECT_EQ(Verified(json::parse(R"({"ack_wait":1000000000,"backoff":[1000000000,5000000000]})"), wanted), "");
  EXPECT_EQ(Verified(json::parse(R"({"ack_wait":1000000000,"backoff":[2000000000]})"), wanted),
            "backoff: wanted [1s, 5s], the server has [2s]");
}

TEST(ConsumerConfigTest, StartTimesAreComparedAsTimes) {
  DurableConfig wanted;
  wanted.opt_start_time = "2026-01-02T03:04:05+01:00";
  EXPECT_EQ(Verified(json::parse(R"({"opt_start_time":"2026-01-02T02:04:05Z"})"), wanted), "");
  EXPECT_NE(Verified(json::parse(R"({"opt_start_time":"2026-01-02T03:04:05Z"})"), wanted), "");
}

TEST(ConsumerConfigTest, WhatIsFixedAtCreationMayBeLeftOut) {
  DurableConfig wanted = EverythingSet();
  json current = NewConsumerConfig("worker", wanted);
  current["deliver_policy"] = "all";
  current["replay_policy"] = "instant";
  current["mem_storage"] = false;
  EXPECT_EQ(Verified(current, wanted, Fields::kMutable), "");
  EXPECT_THAT(Verified(current, wanted, Fields::kAll), AllOf(HasSubstr("deliver_policy"), HasSubstr("; replay_policy"),
                                                             HasSubstr("; mem_storage"), Not(HasSubstr("ack_wait"))));
}

TEST(ConsumerConfigTest, PushConsumersAndOtherAckPoliciesAreRefused) {
  const auto check = [](const char* config, std::optional<std::string> wanted = std::nullopt) {
    core::DurableConfig durable;
    durable.ack_policy = std::move(wanted);
    return std::string(CheckServable(json::parse(config), durable).message());
  };
  EXPECT_EQ(check(R"({"ack_policy":"explicit"})"), "");
  EXPECT_EQ(check(R"({"ack_policy":"explicit"})", "explicit"), "");
  EXPECT_EQ(check(R"({"ack_policy":"all"})", "all"), "");
  EXPECT_THAT(check(R"({"ack_policy":"all"})"), HasSubstr("is \"all\", and not \"explicit\""));
  EXPECT_THAT(check(R"({"ack_policy":"explicit"})", "all"), HasSubstr("is \"explicit\", and not \"all\""));
  EXPECT_THAT(check(R"({"ack_policy":"none"})"), HasSubstr("\"none\""));
  EXPECT_THAT(check(R"({"ack_policy":"explicit","deliver_subject":"d"})"), HasSubstr("push consumer"));
}

TEST(ConsumerInfoTest, IsParsed) {
  const absl::Time now = absl::FromUnixSeconds(1000);
  const core::ConsumerInfo info = ParseConsumerInfo(
      json::parse(R"({"config":{"ack_wait":10000000000,"backoff":[1000000000,5000000000],"max_deliver":5,
        "max_ack_pending":1000,"max_batch":100,"max_bytes":65536,"max_expires":2000000000},
        "num_pending":7,"num_ack_pending":3,"pause_remaining":5000000000,"ts":"2026-01-02T03:04:05Z"})"),
      now);
  EXPECT_EQ(info.ack_wait, absl::Seconds(10));
  EXPECT_THAT(info.backoff, ElementsAre(absl::Seconds(1), absl::Seconds(5)));
  EXPECT_EQ(info.max_deliver, 5);
  EXPECT_EQ(info.max_ack_pending, 1000);
  EXPECT_EQ(info.max_request_batch, 100);
  EXPECT_EQ(info.max_request_max_bytes, 65536);
  EXPECT_EQ(info.max_request_expires, absl::Seconds(2));
  EXPECT_EQ(info.paused_until, now + absl::Seconds(5));
  EXPECT_EQ(info.num_pending, 7u);
  EXPECT_EQ(info.num_ack_pending, 3u);
  EXPECT_TRUE(info.term_reason);
}

TEST(ConsumerInfoTest, AnOldOrOddAnswerFallsBackToDefaults) {
  for (const char* text : {"{}", R"({"config":7})", R"({"config":{"ack_wait":"x","backoff":{},"max_deliver":null},
                                      "num_pending":-1,"num_ack_pending":"many"})"}) {
    const core::ConsumerInfo info = ParseConsumerInfo(json::parse(text), absl::UnixEpoch());
    EXPECT_EQ(info.ack_wait, absl::Seconds(30));
    EXPECT_EQ(info.max_deliver, -1);
    EXPECT_EQ(info.num_pending, 0u);
    EXPECT_EQ(info.num_ack_pending, 0u);
    EXPECT_EQ(info.paused_until, absl::InfinitePast());
    EXPECT_FALSE(info.term_reason) << "a server that does not tell the time is older than 2.10";
  }
}

TEST(ConsumerConfigTest, DifferencesNameTheFieldAndBothValues) {
  const json current = {{"ack_wait", 30'000'000'000}, {"deliver_policy", "new"}, {"metadata", {{"team", "it"}}}};
  DurableConfig wanted;
  wanted.ack_wait = absl::Seconds(10);
  wanted.deliver_policy = "all";
  wanted.metadata = {{"team", "sales"}};
  const auto fields = [&](Fields which) {
    std::vector<std::string> fields;
    for (const Difference& d : CompareConsumerConfig(current, wanted, which)) {
      fields.push_back(d.field + "=" + d.wanted + "/" + d.got);
    }
    return fields;
  };
  EXPECT_THAT(fields(Fields::kMutable), ElementsAre("ack_wait=10s/30s", "metadata.team=\"sales\"/\"it\""));
  EXPECT_THAT(fields(Fields::kFixed), ElementsAre("deliver_policy=\"all\"/\"new\""));
  EXPECT_EQ(fields(Fields::kAll).size(), 3u);
}

// What is sent and what is read back are the same: nothing of it differs.
TEST(ConsumerConfigTest, ReadsWhatItWrites) {
  const json current = NewConsumerConfig("worker", EverythingSet());
  const DurableConfig read = ParseDurableConfig(current);
  EXPECT_EQ(read.filter_subjects, EverythingSet().filter_subjects);
  EXPECT_EQ(read.max_waiting, 64);
  EXPECT_EQ(read.inactive_threshold, absl::Hours(1));
  EXPECT_THAT(CompareConsumerConfig(current, read, Fields::kAll), testing::IsEmpty());
}

TEST(ConsumerConfigTest, ReadsWhatTheServerLeavesOutAsItsDefault) {
  const DurableConfig read = ParseDurableConfig(json::parse(R"({"ack_wait":"soon","backoff":[1000000000]})"));
  EXPECT_EQ(read.max_deliver, -1);
  EXPECT_EQ(read.ack_wait, absl::ZeroDuration());
  EXPECT_THAT(read.backoff, ElementsAre(absl::Seconds(1)));
  EXPECT_EQ(read.mem_storage, false);
}

}  // namespace
}  // namespace sluice::jetstream
