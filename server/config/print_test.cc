#include "config/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "config/load.h"

namespace sluice::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFull[] = R"(
nats:
  servers: ["nats://app:s3cret@a:4222", "nats://t0ken@b", tls://c]
  user: app
  password: s3cret
  tls: {enabled: true, server_name: nats.local}
listen: {unix: "", tcp: 127.0.0.1:7070}
log: {level: debug, format: text}
drain: {timeout: 1m30s}
consumers:
- name: orders
  stream: ORDERS
  manage: verify
  ordering: key
  key: {subject_token: -1}
  redelivery: {initial: 2s, factor: 1.5, max: 1m, jitter: 0}
  pull: {batch: 64, expires: 2s, heartbeat: 250ms}
  config:
    description: "costs $${x}, null"
    filter_subjects: ["*.new", ">"]
    max_deliver: -1
    backoff: [1s, 5s]
    mem_storage: false
    metadata: {"true": "no"}
- {name: other, stream: ORDERS, manage: off}
)";

Config ParseGood(const std::string& yaml) {
  Loaded loaded = Parse(yaml, "f.yaml");
  EXPECT_TRUE(loaded.ok()) << loaded.problems[0].ToString() << "\n" << yaml;
  return loaded.config;
}

TEST(Print, YamlReadsBackAsTheSame) {
  for (const std::string& yaml : {std::string(kFull), std::string("consumers: [{name: o, stream: S}]")}) {
    const std::string printed = ToYaml(ParseGood(yaml));
    EXPECT_EQ(ToYaml(ParseGood(printed)), printed);
  }
}

TEST(Print, ShowsDefaultsAndLeavesOutWhatSaysNothing) {
  EXPECT_EQ(ToYaml(ParseGood("consumers: [{name: o, stream: S}]")), R"(nats:
  servers:
    - nats://127.0.0.1:4222
  name: sluice
  tls:
    enabled: false
    insecure_skip_verify: false
  api_prefix: $$JS.API
  reconnect_wait: 250ms
listen:
  unix: /run/sluice/sluice.sock
  reflection: false
admin:
  readiness: nats
  liveness_timeout: 15s
  quit: false
log:
  level: info
  format: json
reload:
  interval: 2s
drain:
  timeout: 45s
consumers:
  - name: o
    stream: S
    durable: o
    manage: ensure
    ordering: none
    exclusive:
      priority_group: sluice
      priority_timeout: 3s
    waiting_share: 50
    coalesce_acks: false
    max_unacked: 1000
    redelivery:
      max_attempts: 0
      delayed_share: 50
    app_health:
      failures: 0
      window: 30s
    dead_letter:
      on_term: false
      max_deliveries: 0
    pull:
      batch: 256
      expires: 1s
      heartbeat: 500ms
    lease:
      max: 10m
    resume_window: 5s
    max_streams: 4096
)");
}

TEST(Print, KeepsAnEmptyValueThatIsNotTheDefault) {
  EXPECT_THAT(ToYaml(ParseGood(kFull)), HasSubstr("listen:\n  unix: \"\"\n  tcp: 127.0.0.1:7070\n"));
}

TEST(Print, HidesSecrets) {
  const Config config = ParseGood(kFull);
  for (const std::string& printed : {ToYaml(config), ToJson(config).dump()}) {
    EXPECT_THAT(printed, Not(HasSubstr("s3cret")));
    EXPECT_THAT(printed, Not(HasSubstr("t0ken")));
    EXPECT_THAT(printed, HasSubstr("nats://app:***@a:4222"));
    EXPECT_THAT(printed, HasSubstr("nats://***@b"));
  }
}

TEST(Print, ASecretInAFileOfItsOwnIsPrintedAsTheFile) {
  const std::string path = testing::TempDir() + "/sluice-print-secret";
  std::ofstream(path) << "s3cret\n";
  const std::string consumers = "consumers: [{name: o, stream: S}]\n";
  for (const std::string& login : {"user_file: " + path + ", password_file: " + path, "token_file: " + path}) {
    const std::string printed = ToYaml(ParseGood("nats: {" + login + "}\n" + consumers));
    EXPECT_THAT(printed, Not(HasSubstr("s3cret")));
    EXPECT_EQ(ToYaml(ParseGood(printed)), printed);
  }
}

TEST(Print, JsonHasTypes) {
  const Json json = ToJson(ParseGood(kFull));
  EXPECT_EQ(json["listen"]["reflection"], false);
  EXPECT_EQ(json["consumers"][0]["pull"]["batch"], 64);
  EXPECT_EQ(json["consumers"][0]["config"]["description"], "costs ${x}, null");
  EXPECT_EQ(json["consumers"][0]["config"]["backoff"], Json({"1s", "5s"}));
}

}  // namespace
}  // namespace sluice::config
