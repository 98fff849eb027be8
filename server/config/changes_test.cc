#include "config/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "config/load.h"

namespace sluice::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Config Of(const std::string& yaml) {
  const Loaded loaded = Parse(yaml, "sluice.yaml", {}, [](const std::string&) { return std::nullopt; });
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << problem.ToString();
  return loaded.config;
}

constexpr char kConsumers[] = "consumers: [{name: orders, stream: ORDERS, pull: {batch: 64}}]\n";

Changes After(const std::string& before, const std::string& after) {
  return Compare(Of(before + kConsumers), Of(after + kConsumers));
}

TEST(Changes, NoneIsNone) {
  const Changes changes = After("", "");
  EXPECT_FALSE(changes.login);
  EXPECT_FALSE(changes.log);
  EXPECT_THAT(changes.fixed, IsEmpty());
}

TEST(Changes, TheLoginAndTheLogAreLive) {
  Changes changes = After("nats: {user: a, password: x}\n", "nats: {user: a, password: y}\n");
  EXPECT_TRUE(changes.login) << "a secret, which is not printed";
  EXPECT_THAT(changes.fixed, IsEmpty());
  changes = After("", "nats: {token: t, name: n, reconnect_wait: 1s, tls: {enabled: true, server_name: s}}\n");
  EXPECT_TRUE(changes.login);
  EXPECT_THAT(changes.fixed, IsEmpty());
  changes = After("", "log: {level: debug, format: text}\n");
  EXPECT_TRUE(changes.log);
  EXPECT_FALSE(changes.login);
  EXPECT_THAT(changes.fixed, IsEmpty());
  EXPECT_THAT(After("", "deployment: {pods: 3}\n").fixed, IsEmpty());
}

TEST(Changes, TheRestIsNamed) {
  EXPECT_THAT(After("", "nats: {servers: 'nats://elsewhere:4222'}\nlisten: {tcp: '127.0.0.1:0'}\n").fixed,
              ElementsAre("nats.servers", "listen.tcp"));
  EXPECT_THAT(After("nats: {servers: 'nats://a:x@h:4222'}\n", "nats: {servers: 'nats://a:y@h:4222'}\n").fixed,
              ElementsAre("nats.servers"))
      << "a secret in an address";
  EXPECT_THAT(After("", "drain: {timeout: 1s}\nadmin: {listen: '127.0.0.1:0'}\n").fixed,
              ElementsAre("admin.listen", "drain.timeout"));
}

TEST(Changes, ConsumersAreNamedByKey) {
  const Config before = Of("consumers: [{name: orders, stream: ORDERS}]\n");
  EXPECT_THAT(Compare(before, Of("consumers: [{name: orders, stream: ORDERS, pull: {batch: 64}}]\n")).fixed,
              ElementsAre("consumers[0].pull.batch"));
  const Changes added = Compare(before, Of("consumers: [{name: orders, stream: ORDERS}, {name: b, stream: B}]\n"));
  EXPECT_THAT(added.fixed, ::testing::Contains("consumers"));
  EXPECT_THAT(added.fixed, ::testing::Contains("consumers[1].name"));
}

TEST(Changes, LiveKeysAreDocumented) {
  std::ifstream file(SLUICE_SOURCE_DIR "/docs/configuration.md");
  std::stringstream content;
  content << file.rdbuf();
  std::string sentence = "While it runs, the daemon takes over";
  for (const std::string& key : LiveKeys()) {
    absl::StrAppend(&sentence, key == LiveKeys().front() ? " `" : ", `", key, key.back() == '.' ? "*`" : "`");
  }
  EXPECT_THAT(content.str(), HasSubstr(sentence));
}

}  // namespace
}  // namespace sluice::config
