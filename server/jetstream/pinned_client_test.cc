#include "jetstream/pinned_client.h"

#include <gmock/gmock.h>

#include "absl/strings/match.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

core::DurableConfig Wanted() {
  core::DurableConfig config;
  config.priority_groups = {"g"};
  config.priority_policy = "pinned_client";
  return config;
}

// Mutation: TakePinId() that takes the first.
TEST(PinnedClient, ThePinIsTheServersHeaderAndNotThePublishers) {
  core::Message message;
  message.headers = {{"Nats-Pin-Id", "old"}, {"A", "b"}, {"Nats-Pin-Id", "new"}};
  TakePinId(message);
  EXPECT_EQ(message.pin_id, "new");
  ASSERT_EQ(message.headers.size(), 2u);
  EXPECT_EQ(message.headers[0].value, "old");
  EXPECT_EQ(message.headers[1].name, "A");
  core::Message without;
  without.headers = {{"A", "b"}};
  TakePinId(without);
  EXPECT_EQ(without.pin_id, "");
  EXPECT_EQ(without.headers.size(), 1u);
}

TEST(PinnedClient, AServerThatDropsThePolicyIsTooOld) {
  const json pinned = {{"priority_policy", "pinned_client"}, {"priority_groups", {"g", "h"}}};
  EXPECT_TRUE(CheckPinnedClient(pinned, Wanted(), true).ok());
  EXPECT_TRUE(CheckPinnedClient(json::object(), core::DurableConfig(), true).ok());
  const absl::Status too_old = CheckPinnedClient(json::object(), Wanted(), true);
  EXPECT_TRUE(absl::IsFailedPrecondition(too_old));
  EXPECT_TRUE(absl::StrContains(too_old.message(), "upgrade it to 2.11")) << too_old;
  const json overflow = {{"priority_policy", "overflow"}, {"priority_groups", {"g"}}};
  for (const json& other : {json::object(), overflow, json{{"priority_policy", 7}, {"priority_groups", "g"}}}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(CheckPinnedClient(other, Wanted(), false))) << other;
  }
}

TEST(PinnedClient, AnAnswerMayBeAnything) {
  EXPECT_EQ(PinnedClientId({{"priority_groups", {{{"group", "g"}, {"pinned_client_id", "p"}}}}}), "p");
  for (const json& odd : {json::object(), json{{"priority_groups", 1}}, json{{"priority_groups", {1, "x"}}}}) {
    EXPECT_EQ(PinnedClientId(odd), "") << odd;
  }
  EXPECT_TRUE(UnpinStatus(absl::string_view("{}")).ok());
  EXPECT_FALSE(UnpinStatus(absl::string_view("no JSON")).ok());
  EXPECT_FALSE(UnpinStatus(absl::string_view(R"({"error":{"code":400,"description":"bad"}})")).ok());
}

}  // namespace
}  // namespace sluice::jetstream
