// Pulls, leases, and a server that misbehaves.
#include <algorithm>

#include "gmock/gmock.h"
#include "test/sim/scenario.h"

namespace sluice::test {
namespace {

using core::ConsumerState;
using core::PullStatus;
using core::Verdict;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

class IntakeScenario : public Scenario {};

TEST_F(IntakeScenario, NothingIsPulledWithoutAnAppWithCredit) {
  TestDaemon& daemon = StartDaemon();
  Publish(3);
  RunFor(absl::Seconds(10));
  EXPECT_THAT(pulls, IsEmpty());
  TestApp& app = Open(daemon, {.messages = 0});
  RunFor(absl::Seconds(10));
  EXPECT_THAT(pulls, IsEmpty());
  app.session->OnCredit({.messages = 2});
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  EXPECT_THAT(pulls, Each(Field(&core::PullRequest::batch, Le(2u))));
}

TEST_F(IntakeScenario, AMessageLargerThanTheByteCreditPassesAlone) {
  TestApp& app = Open(StartDaemon(), {.messages = 10, .bytes = 1000});
  Publish(1);
  Publish(1, 5000);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  RunFor(absl::Seconds(3));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1));
  Ack(app, {1});
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  RunFor(absl::Seconds(3));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 2));
  Ack(app, {2});
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 3; }));
}

TEST_F(IntakeScenario, RefusedPullsAreRetriedWithBackoff) {
  TestApp& app = Open(StartDaemon());
  RunFor(absl::Milliseconds(100));
  pulls.clear();
  server().RefusePulls(PullStatus::Kind::kLimitExceeded, 1000);
  RunFor(absl::Seconds(20));
  EXPECT_THAT(pulls, SizeIs(Le(20)));
  server().RefusePulls(PullStatus::Kind::kLimitExceeded, 0);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
}

TEST_F(IntakeScenario, ADeletedConsumerIsToldAndMadeAnew) {
  TestApp& app = Open(StartDaemon());
  RunFor(absl::Milliseconds(100));
  server().DeleteConsumer();
  ASSERT_TRUE(RunUntil([&] { return app.stream.last<core::StateNotice>()->state == ConsumerState::kConsumerMissing; }));
  ASSERT_TRUE(RunUntil([&] { return app.stream.last<core::StateNotice>()->state == ConsumerState::kServing; }));
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
}

TEST_F(IntakeScenario, AConsumerThatIsNotOursToMakeIsWaitedFor) {
  source_options.managed = false;
  server().DeleteConsumer();
  TestApp& app = Open(StartDaemon());
  ASSERT_TRUE(RunUntil([&] { return app.stream.last<core::StateNotice>()->state == ConsumerState::kConsumerMissing; }));
  RunFor(absl::Minutes(10));
  server().CreateConsumer();
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }, absl::Seconds(10)));
}

TEST_F(IntakeScenario, AChangeOfLeaderIsSurvivedWhetherItIsToldOrNot) {
  TestApp& app = Open(StartDaemon());
  for (int change = 1; change <= 20; ++change) {
    server().ChangeLeader(absl::Milliseconds(200));
    RunFor(absl::Milliseconds(300));
    Publish(1);
    ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == static_cast<size_t>(change); }, absl::Seconds(10)));
    Ack(app, {static_cast<uint64_t>(change)});
    ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  }
}

TEST_F(IntakeScenario, AcksThatWereLostWithTheConnectionAreRepeated) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 5; }));
  Ack(app, Range(1, 5));
  daemon.source->Disconnect(absl::Seconds(2));  // while they are on their way
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(IntakeScenario, AcksSaidWhileNatsIsDownAreKept) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 5; }));
  daemon.source->Disconnect(absl::Seconds(3));
  ASSERT_TRUE(RunUntil([&] { return app.stream.last<core::StateNotice>()->state == ConsumerState::kNatsDown; }));
  Ack(app, Range(1, 5));
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(IntakeScenario, ALeaseCoversAHandlerMuchSlowerThanTheAckWait) {
  server_options.consumer.ack_wait = absl::Seconds(2);
  TestApp& app = Open(StartDaemon());
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  RunFor(absl::Minutes(5));
  Ack(app, {1});
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(ack_waits_over, 0);
  EXPECT_EQ(app.stream.given().size(), 1u);
}

TEST_F(IntakeScenario, ALeaseGoesByTheBackOffOfTheAttempt) {
  server_options.consumer.backoff = {absl::Seconds(1), absl::Seconds(8)};
  TestApp& app = Open(StartDaemon());
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  RunFor(absl::Seconds(8));
  const uint64_t first_attempt = CountSent(Verdict::kInProgress);
  EXPECT_GE(first_attempt, 8u);
  Nak(app, {1});
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  RunFor(absl::Seconds(8));
  const uint64_t second_attempt = CountSent(Verdict::kInProgress) - first_attempt;
  EXPECT_GE(second_attempt, 1u);
  EXPECT_LE(second_attempt, 3u);
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(IntakeScenario, ALeaseEndsAtItsMaximumUnlessTheAppSaysInProgress) {
  server_options.consumer.ack_wait = absl::Seconds(1);
  options.lease_max = absl::Seconds(5);
  TestApp& app = Open(StartDaemon(), {.messages = 2});
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  const uint64_t silent = app.stream.id_of(1);
  for (int second = 0; second < 20; ++second) {
    RunFor(absl::Seconds(1));
    Settle(app, {2}, {Verdict::kInProgress, absl::ZeroDuration(), {}});
  }
  EXPECT_THAT(app.stream.last<core::LeasesEndedNotice>()->ids, ElementsAre(silent));
  EXPECT_EQ(ack_waits_over, 1);
}

TEST_F(IntakeScenario, ADelayedNakWaitsAsLongAsWasAskedFor) {
  server_options.consumer.ack_wait = absl::Seconds(30);
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  TestApp& other = Open(StartDaemon(), {.messages = 0});
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  Settle(app, {1}, {Verdict::kNak, absl::Seconds(5), {}});
  other.session->OnCredit({.messages = 10});
  Drain(daemon, absl::Seconds(10));  // its fence asks the server for an answer, and must not touch the delay
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }));
  EXPECT_THAT(other.stream.given(), IsEmpty());
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 1; }, absl::Seconds(6)));
}

}  // namespace
}  // namespace sluice::test
