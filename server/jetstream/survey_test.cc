#include "jetstream/survey.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using Presence = SurveyAnswer::Presence;
using testing::HasSubstr;
using testing::SizeIs;

SurveyAnswer Parsed(absl::string_view text, const core::DurableConfig& wanted = {}) {
  const absl::StatusOr<ApiReply> reply = ParseApiReply(text);
  EXPECT_TRUE(reply.ok()) << reply.status();
  return ParseSurveyAnswer(*reply, wanted);
}

TEST(SurveyTest, WhatIsMissingIsToldApart) {
  EXPECT_EQ(Parsed(R"({"error":{"code":404,"err_code":10014}})").presence, Presence::kConsumerMissing);
  EXPECT_EQ(Parsed(R"({"error":{"code":404,"err_code":10059}})").presence, Presence::kStreamMissing);
}

TEST(SurveyTest, ARefusalIsNotAnAnswer) {
  const SurveyAnswer answer =
      Parsed(R"({"error":{"code":503,"err_code":10039,"description":"JetStream not enabled for account"}})");
  EXPECT_EQ(answer.presence, Presence::kUnknown);
  EXPECT_EQ(answer.error, "JetStream not enabled for account (code 503, err_code 10039)");
  EXPECT_EQ(Parsed("{}").presence, Presence::kUnknown);
  EXPECT_THAT(Parsed(R"({"config":[]})").error, HasSubstr("without a configuration"));
}

TEST(SurveyTest, ReadsTheConsumer) {
  core::DurableConfig wanted;
  wanted.max_deliver = 5;
  wanted.deliver_policy = "new";
  const SurveyAnswer answer = Parsed(
      R"({"config":{"ack_policy":"all","deliver_subject":"push.here","max_deliver":3,"max_waiting":8},
          "num_waiting":7,"paused":true,"pause_remaining":60000000000})",
      wanted);
  EXPECT_EQ(answer.presence, Presence::kThere);
  EXPECT_EQ(answer.ack_policy, "all");
  EXPECT_EQ(answer.deliver_subject, "push.here");
  EXPECT_EQ(answer.num_waiting, 7);
  EXPECT_EQ(answer.pause_remaining, absl::Minutes(1));
  EXPECT_EQ(answer.config.max_waiting, 8);
  ASSERT_THAT(answer.changeable, SizeIs(1));
  EXPECT_EQ(answer.changeable[0].field, "max_deliver");
  ASSERT_THAT(answer.fixed, SizeIs(1));
  EXPECT_EQ(answer.fixed[0].field, "deliver_policy");
}

TEST(SurveyTest, OptionsThatCannotBeUsedAreToldAtOnce) {
  ConnectionOptions options;
  options.servers = {"http://nowhere"};
  EXPECT_TRUE(absl::IsInvalidArgument(TakeSurvey(options, {}, absl::Seconds(1)).status()));
}

// Port 1 of the loopback: nothing serves it.
TEST(SurveyTest, NobodyThereIsToldInTime) {
  ConnectionOptions options;
  options.servers = {"nats://127.0.0.1:1"};
  const absl::Status status = TakeSurvey(options, {{"S", "worker", {}}}, absl::Milliseconds(300)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("not connected within 300ms"));
}

}  // namespace
}  // namespace sluice::jetstream
