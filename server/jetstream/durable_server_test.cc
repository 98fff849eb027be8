#include "jetstream/durable.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// Durable as JetStreamSource uses it.
class DurableTest : public SourceTest {
 protected:
  // Attaches with another configuration than before.
  absl::StatusOr<core::ConsumerInfo> AttachAs(core::DurableConfig config, core::Manage manage = core::Manage::kEnsure,
                                              const std::string& stream = "S") {
    loop_.Run([this] { source_.reset(); });
    MakeSource(std::move(config), manage, stream);
    return Attach();
  }
  json ConfigOnServer() {
    const auto info = admin_->ConsumerInfo("S", "worker");
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? (*info)["config"] : json();
  }
  bool Exists() { return admin_->ConsumerInfo("S", "worker").ok(); }
};

core::DurableConfig Wanted() {
  core::DurableConfig config;
  config.description = "orders";
  config.filter_subjects = {"s.a"};
  config.deliver_policy = "all";
  config.ack_wait = absl::Seconds(10);
  config.max_deliver = 5;
  config.max_ack_pending = 1000;
  config.max_waiting = 64;
  config.inactive_threshold = absl::Hours(1);
  return config;
}

TEST_P(DurableTest, EnsureCreatesIt) {
  ASSERT_TRUE(StartAll());
  ASSERT_FALSE(Exists());
  const auto info = AttachAs(Wanted());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->ack_wait, absl::Seconds(10));
  EXPECT_EQ(info->max_deliver, 5);
  EXPECT_EQ(info->max_ack_pending, 1000);
  EXPECT_EQ(info->num_pending, 0u);
  EXPECT_EQ(info->term_reason, VersionAtLeast(10, 4));
  EXPECT_EQ(info->tells_expiry, VersionAtLeast(10, 4));
  const json config = ConfigOnServer();
  EXPECT_EQ(config["durable_name"], "worker");
  EXPECT_EQ(config["filter_subject"], "s.a");
  EXPECT_EQ(config["max_waiting"], 64);
}

TEST_P(DurableTest, EnsureWithNothingWantedUsesTheServersDefaults) {
  ASSERT_TRUE(StartAll());
  const auto info = AttachAs({});
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->ack_wait, absl::Seconds(30));
  EXPECT_EQ(info->max_deliver, -1);
}

TEST_P(DurableTest, EnsureLeavesAloneWhatIsAsWanted) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(AttachAs(Wanted()).ok());
  const auto created = admin_->ConsumerInfo("S", "worker");
  ASSERT_TRUE(created.ok());
  const auto info = AttachAs(Wanted());
  EXPECT_TRUE(info.ok()) << info.status();
  EXPECT_EQ((*admin_->ConsumerInfo("S", "worker"))["created"], (*created)["created"]);
}

TEST_P(DurableTest, EnsureUpdatesWhatDiffersAndKeepsTheRest) {
  ASSERT_TRUE(StartAll());
  json existing = {{"ack_wait", 60'000'000'000}, {"filter_subject", "s.a"}, {"sample_freq", "7"}, {"max_batch", 50}};
  if (VersionAtLeast(10)) existing["metadata"] = {{"owner", "me"}};
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", existing).ok());
  core::DurableConfig wanted;
  wanted.ack_wait = absl::Seconds(5);
  wanted.description = "new";
  if (VersionAtLeast(10)) wanted.metadata = {{"team", "sales"}};
  const auto info = AttachAs(wanted);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->ack_wait, absl::Seconds(5));
  EXPECT_EQ(info->max_request_batch, 50);
  const json config = ConfigOnServer();
  EXPECT_EQ(config["description"], "new");
  EXPECT_EQ(config["sample_freq"], "7");
  EXPECT_EQ(config["filter_subject"], "s.a");
  if (VersionAtLeast(10)) {
    EXPECT_EQ(config["metadata"]["owner"], "me");
    EXPECT_EQ(config["metadata"]["team"], "sales");
  }
}

TEST_P(DurableTest, EnsureDoesNotMindWhatWasFixedAtCreation) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"deliver_policy", "new"}}).ok());
  core::DurableConfig wanted = Wanted();
  wanted.max_waiting.reset();
  const auto info = AttachAs(wanted);
  EXPECT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(ConfigOnServer()["deliver_policy"], "new");
}

TEST_P(DurableTest, SeveralFiltersAreSetOrRefusedButNeverDropped) {
  ASSERT_TRUE(StartAll());
  core::DurableConfig wanted;
  wanted.filter_subjects = {"s.a", "s.b"};
  const auto info = AttachAs(wanted);
  if (VersionAtLeast(10)) {
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(ConfigOnServer()["filter_subjects"], json::parse(R"(["s.a","s.b"])"));
    return;
  }
  EXPECT_EQ(info.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(info.status().message()), HasSubstr("filter_subjects: wanted [s.a, s.b], the server has []"));
}

TEST_P(DurableTest, ABackoffComesBack) {
  ASSERT_TRUE(StartAll());
  core::DurableConfig wanted;
  wanted.ack_wait = absl::Seconds(30);
  wanted.max_deliver = 5;
  wanted.backoff = {absl::Seconds(1), absl::Seconds(5)};
  const auto info = AttachAs(wanted);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->backoff, wanted.backoff);
  EXPECT_EQ(info->AckWait(1), absl::Seconds(1));
}

TEST_P(DurableTest, WhatTheServerRefusesIsAMatterOfConfiguration) {
  ASSERT_TRUE(StartAll());
  core::DurableConfig wanted;
  wanted.max_deliver = 1;
  wanted.backoff = {absl::Seconds(1), absl::Seconds(5)};  // more steps than attempts
  const auto info = AttachAs(wanted);
  EXPECT_EQ(info.status().code(), absl::StatusCode::kFailedPrecondition) << info.status();
}

TEST_P(DurableTest, VerifyComparesAndChangesNothing) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"ack_wait", 60'000'000'000}, {"max_deliver", 5}}).ok());
  core::DurableConfig wanted;
  wanted.max_deliver = 5;
  EXPECT_TRUE(AttachAs(wanted, core::Manage::kVerify).ok());
  wanted.ack_wait = absl::Seconds(10);
  wanted.deliver_policy = "new";
  const absl::Status status = AttachAs(wanted, core::Manage::kVerify).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("consumer worker of stream S"), HasSubstr("ack_wait: wanted 10s, the server has 1m"),
                    HasSubstr("deliver_policy: wanted \"new\", the server has \"all\"")));
  EXPECT_EQ(ConfigOnServer()["ack_wait"], 60'000'000'000);
}

TEST_P(DurableTest, OffTakesItAsItIs) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"ack_wait", 60'000'000'000}}).ok());
  const auto info = AttachAs(Wanted(), core::Manage::kOff);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->ack_wait, absl::Seconds(60));
}

TEST_P(DurableTest, WhatIsMissingIsTold) {
  ASSERT_TRUE(StartAll());
  for (const core::Manage manage : {core::Manage::kVerify, core::Manage::kOff}) {
    const absl::Status consumer = AttachAs({}, manage).status();
    EXPECT_EQ(consumer.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(consumer.message()), HasSubstr("consumer worker does not exist on stream S"));
  }
  const absl::Status stream = AttachAs({}, core::Manage::kEnsure, "NOWHERE").status();
  EXPECT_EQ(stream.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(stream.message()), HasSubstr("stream NOWHERE does not exist"));
  EXPECT_EQ(Info().status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DurableTest, ConsumersThatCannotBeServedAreRefused) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"deliver_subject", "push.here"}}).ok());
  const absl::Status status = AttachAs({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("push consumer"));
}

// A fleet that starts at once.
TEST_P(DurableTest, ManyPodsEnsureTheSameOneTogether) {
  ASSERT_TRUE(StartAll());
  constexpr int kPods = 20;
  Recorder recorders[kPods];
  std::vector<std::unique_ptr<JetStreamSource>> sources;
  loop_.Run([&] {
    for (Recorder& recorder : recorders) {
      sources.push_back(std::make_unique<JetStreamSource>(
          connection_.get(), loop_.loop(), JetStreamSource::Options{"S", "worker", core::Manage::kEnsure, Wanted()}));
      sources.back()->Start(&recorder);
    }
    for (const auto& source : sources) source->Attach();
  });
  for (Recorder& recorder : recorders) {
    ASSERT_TRUE(recorder.Await([&] { return !recorder.attached_.empty(); }));
    EXPECT_TRUE(recorder.attached_[0].ok()) << recorder.attached_[0].status();
  }
  loop_.Run([&] { sources.clear(); });
}

INSTANTIATE_TEST_SUITE_P(All, DurableTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
