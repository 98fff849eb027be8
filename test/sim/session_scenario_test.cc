// Apps that come and go.
#include <algorithm>

#include "gmock/gmock.h"
#include "test/sim/scenario.h"

namespace sluice::test {
namespace {

using core::SettleOutcome;
using core::Verdict;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

class SessionScenario : public Scenario {};

// At once, but for a pull that is still open: a NAK would come straight back through it.
TEST_F(SessionScenario, HalfCloseHandsBackAtOnce) {
  TestDaemon& first = StartDaemon();
  TestApp& leaving = Open(first);
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.given().size() == 3; }));
  TestApp& other = Open(StartDaemon());
  HalfClose(leaving);
  EXPECT_TRUE(leaving.stream.finished()->ok());
  ASSERT_TRUE(
      RunUntil([&] { return other.stream.given().size() == 3; }, options.pull_expires + absl::Milliseconds(100)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(1, 2, 3));
  EXPECT_EQ(ack_waits_over, 0);
}

// Mutation: NoteDeparture() that does nothing: it waits for somebody to come back.
TEST_F(SessionScenario, WhatThePullStillBringsWhenTheLastAppHasLeftGoesToAnotherPodOnceThatIsOver) {
  options.resume_window = absl::Seconds(20);
  TestApp& leaving = Open(StartDaemon(), {.messages = 3});
  RunFor(absl::Milliseconds(50));
  HalfClose(leaving);
  Publish(2);
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u) << "it would come straight back";
  TestApp& other = Open(StartDaemon());
  ASSERT_TRUE(
      RunUntil([&] { return other.stream.given().size() == 2; }, options.pull_expires + absl::Milliseconds(100)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(1, 2));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(SessionScenario, WhatABrokenStreamWasNotGivenGoesToItsSibling) {
  TestDaemon& daemon = StartDaemon();
  TestApp& stuck = Open(daemon, {.messages = 3});
  stuck.stream.Block();
  Publish(3);
  RunFor(absl::Milliseconds(50));
  TestApp& sibling = Open(daemon);
  Break(stuck);
  EXPECT_THAT(sibling.stream.sequences(), ElementsAre(1, 2, 3));
  for (const RecordingStream::Given& given : sibling.stream.given()) EXPECT_EQ(given.num_delivered, 1u);
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(SessionScenario, AnAppThatComesBackInTimeKeepsWhatItHolds) {
  TestDaemon& daemon = StartDaemon();
  TestApp& before = Open(daemon, {}, "app");
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return before.stream.given().size() == 3; }));
  Break(before);
  RunFor(options.resume_window / 2);
  TestApp& after = Open(daemon, {}, "app", before.stream.ids());
  EXPECT_THAT(after.stream.last<core::OpenedNotice>()->resumed, ElementsAreArray(before.stream.ids()));
  RunFor(options.resume_window * 2);
  EXPECT_THAT(after.stream.given(), IsEmpty());
  const std::vector<uint64_t> ids = before.stream.ids();
  const core::SettleRun run = {ids, {}};
  after.session->OnSettle({&run, 1});
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(SessionScenario, WhatGotLostOnTheWayToAnAppIsHandedOutAgainOnItsReturn) {
  TestDaemon& daemon = StartDaemon();
  TestApp& before = Open(daemon, {}, "app");
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return before.stream.given().size() == 3; }));
  Break(before);
  TestApp& after = Open(daemon, {}, "app", {before.stream.id_of(2)});
  EXPECT_THAT(after.stream.last<core::OpenedNotice>()->resumed, ElementsAre(before.stream.id_of(2)));
  EXPECT_THAT(after.stream.sequences(), ElementsAre(1, 3));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(SessionScenario, AfterTheResumeWindowWhatWasHeldIsNakedInOrder) {
  TestDaemon& daemon = StartDaemon();
  TestApp& gone = Open(daemon, {}, "app");
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return gone.stream.given().size() == 5; }));
  TestApp& other = Open(StartDaemon());
  Break(gone);
  RunFor(options.resume_window - absl::Milliseconds(1));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 5; }, absl::Milliseconds(100)));
  EXPECT_THAT(other.stream.sequences(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(SessionScenario, ASecondStreamOfAClientReplacesTheFirst) {
  TestDaemon& daemon = StartDaemon();
  TestApp& first = Open(daemon, {}, "app");
  TestApp& second = Open(daemon, {}, "app");
  EXPECT_TRUE(absl::IsAborted(*first.stream.finished()));
  EXPECT_FALSE(second.stream.finished().has_value());
}

TEST_F(SessionScenario, ALateAckIsForwardedAndALateNakIsNot) {
  options.lease_max = absl::Seconds(2);
  server_options.consumer.ack_wait = absl::Seconds(1);
  TestDaemon& daemon = StartDaemon();
  TestApp& slow = Open(daemon, {.messages = 2});
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return slow.stream.last<core::LeasesEndedNotice>() != nullptr; }));
  TestApp& other = Open(StartDaemon());
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 2; }));
  Ack(slow, {1});
  Nak(slow, {2});
  EXPECT_THAT(slow.stream.outcomes(slow.stream.id_of(1)), ElementsAre(SettleOutcome::kLate));
  EXPECT_THAT(slow.stream.outcomes(slow.stream.id_of(2)), ElementsAre(SettleOutcome::kLate));
  ASSERT_TRUE(RunUntil([&] { return server().settled(1); }, absl::Milliseconds(100)));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(SessionScenario, VerdictsOnWhatIsNotHeldAreAnsweredOneByOne) {
  TestApp& app = Open(StartDaemon());
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  const uint64_t id = app.stream.id_of(1);
  const std::vector<uint64_t> ids = {id, id, 12345};
  const core::SettleRun run = {ids, {}};
  app.session->OnSettle({&run, 1});
  EXPECT_THAT(app.stream.outcomes(id), ElementsAre(SettleOutcome::kNotHeld));
  EXPECT_THAT(app.stream.outcomes(12345), ElementsAre(SettleOutcome::kNotHeld));
  EXPECT_EQ(CountSent(Verdict::kAck), 1u);
}

TEST_F(SessionScenario, NothingIsGivenBeyondTheCreditAndAPauseHoldsBackWhatWasQueued) {
  TestApp& app = Open(StartDaemon(), {.messages = 4});
  Publish(20);
  RunFor(absl::Seconds(1));
  EXPECT_EQ(app.stream.given().size(), 4u);
  app.stream.Block();
  Ack(app, {1, 2});
  RunFor(absl::Seconds(1));
  app.session->OnCredit({.messages = 0});
  app.stream.Unblock(app.session);
  RunFor(absl::Seconds(1));
  EXPECT_EQ(app.stream.given().size(), 4u);
  app.session->OnCredit({.messages = 4});
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 6; }));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 2, 3, 4, 5, 6));
}

// The app names what it holds by the ids of a daemon that was killed; it has not learnt yet that another is there,
// which has given it something else. Mutation: InFlight that begins with the same generation in each process: the app
// would ack what it has never seen.
TEST_F(SessionScenario, AnIdOfAKilledDaemonNamesNothingInItsSuccessor) {
  options.seed = 1;
  TestDaemon& first = StartDaemon();
  TestApp& app = Open(first, {}, "app");
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  const uint64_t held = app.stream.id_of(1);
  Kill(first);
  options.seed = 2;
  TestDaemon& second = StartDaemon();
  TestApp& unheard = Open(second, {}, "app", {held});
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return unheard.stream.given().size() == 1; }));
  Break(unheard);
  TestApp& again = Open(second, {}, "app", {held});
  ASSERT_NE(again.stream.last<core::OpenedNotice>(), nullptr);
  EXPECT_THAT(again.stream.last<core::OpenedNotice>()->resumed, IsEmpty());
  EXPECT_THAT(again.stream.sequences(), ElementsAre(2));
}

}  // namespace
}  // namespace sluice::test
