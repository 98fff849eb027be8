#include "jetstream/survey.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;
using Presence = SurveyAnswer::Presence;
using testing::ElementsAre;
using testing::HasSubstr;

class SurveyServerTest : public ServerTest {
 protected:
  bool StartAll() {
    if (!StartServer() || !StartAdmin()) return false;
    const absl::Status created = admin_->CreateStream("S", {"s.>"});
    EXPECT_TRUE(created.ok()) << created;
    return created.ok();
  }
  Survey Take(const std::vector<SurveyQuestion>& questions) {
    absl::StatusOr<Survey> survey = TakeSurvey(Options(), questions, kPatience);
    EXPECT_TRUE(survey.ok()) << survey.status();
    return survey.ok() ? *std::move(survey) : Survey{"", "", std::vector<SurveyAnswer>(questions.size())};
  }
};

std::vector<std::string> FieldsOf(const std::vector<Difference>& differences) {
  std::vector<std::string> fields;
  for (const Difference& difference : differences) fields.push_back(difference.field);
  return fields;
}

TEST_P(SurveyServerTest, TellsTheServerAndWhatIsMissing) {
  ASSERT_TRUE(StartAll());
  const Survey survey = Take({{"S", "worker", {}}, {"NOWHERE", "worker", {}}});
  EXPECT_EQ(survey.server_version, test::NatsServerVersion(GetParam()));
  EXPECT_EQ(survey.url, server_->url());
  EXPECT_EQ(survey.answers[0].presence, Presence::kConsumerMissing);
  EXPECT_EQ(survey.answers[1].presence, Presence::kStreamMissing);
}

TEST_P(SurveyServerTest, ReadsAConsumerAndLeavesItAsItIs) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"max_deliver", 3}, {"max_waiting", 8}}).ok());
  const json before = *admin_->ConsumerInfo("S", "worker");
  core::DurableConfig wanted;
  wanted.max_deliver = 5;
  wanted.max_waiting = 8;
  wanted.deliver_policy = "new";
  const Survey survey = Take({{"S", "worker", wanted}});
  const SurveyAnswer& answer = survey.answers[0];
  EXPECT_EQ(answer.presence, Presence::kThere);
  EXPECT_EQ(answer.ack_policy, "explicit");
  EXPECT_EQ(answer.deliver_subject, "");
  EXPECT_EQ(answer.config.max_deliver, 3);
  EXPECT_EQ(answer.config.max_ack_pending, 1000) << "the server's default";
  EXPECT_EQ(answer.config.ack_wait, absl::Seconds(30)) << "the server's default";
  EXPECT_EQ(answer.config.inactive_threshold, absl::ZeroDuration());
  EXPECT_EQ(answer.pause_remaining, absl::ZeroDuration());
  EXPECT_THAT(FieldsOf(answer.changeable), ElementsAre("max_deliver"));
  EXPECT_THAT(FieldsOf(answer.fixed), ElementsAre("deliver_policy"));
  const json after = *admin_->ConsumerInfo("S", "worker");
  for (const char* field : {"created", "config", "delivered", "num_pending"}) {
    EXPECT_EQ(after.value(field, json()), before.value(field, json())) << field;
  }
}

TEST_P(SurveyServerTest, CountsTheWaitingPulls) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker").ok());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  Recorder recorder;
  std::unique_ptr<JetStreamSource> source;
  loop_.Run([&] {
    source = std::make_unique<JetStreamSource>(connection_.get(), loop_.loop(),
                                               JetStreamSource::Options{"S", "worker", core::Manage::kOff, {}});
    source->Start(&recorder);
  });
  ASSERT_TRUE(recorder.AwaitConnections(1));
  loop_.Run([&] { source->Attach(); });
  ASSERT_TRUE(recorder.Await([&] { return !recorder.attached_.empty(); }));
  loop_.Run([&] { source->Pull({1, 10, 0, absl::Seconds(30), absl::ZeroDuration()}); });
  EXPECT_TRUE(Eventually([&] { return Take({{"S", "worker", {}}}).answers[0].num_waiting == 1; }));
  loop_.Run([&] { source.reset(); });
}

TEST_P(SurveyServerTest, APauseIsTold) {
  ASSERT_TRUE(StartAll());
  const std::string until = absl::FormatTime(absl::RFC3339_sec, absl::Now() + absl::Hours(1), absl::UTCTimeZone());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"pause_until", until}}).ok());
  const absl::Duration remaining = Take({{"S", "worker", {}}}).answers[0].pause_remaining;
  // Consumers pause from 2.11; older servers drop the field.
  EXPECT_EQ(remaining > absl::Minutes(50), VersionAtLeast(11)) << remaining;
}

TEST_P(SurveyServerTest, ALoginThatIsRefusedIsTold) {
  ASSERT_TRUE(StartServer("authorization { user: a, password: b }"));
  const absl::Status status = TakeSurvey(Options(), {{"S", "worker", {}}}, absl::Seconds(1)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("uthorization"));
}

TEST_P(SurveyServerTest, ASubjectThatIsNotPermittedIsTold) {
  ASSERT_TRUE(StartServer(
      R"(authorization { users: [{ user: a, password: b, permissions: { publish: { deny: "$JS.>" } } }] })"));
  ConnectionOptions options = Options();
  options.user = "a";
  options.password = "b";
  const absl::StatusOr<Survey> survey = TakeSurvey(options, {{"S", "worker", {}}}, absl::Seconds(1));
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(survey->answers[0].presence, Presence::kUnknown);
  EXPECT_THAT(survey->answers[0].error, HasSubstr("ermissions Violation"));
}

INSTANTIATE_TEST_SUITE_P(All, SurveyServerTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
