// Order within a key, and what is tried again.
#include <algorithm>

#include "gmock/gmock.h"
#include "test/sim/scenario.h"

namespace sluice::test {
namespace {

using core::Verdict;
using testing::ElementsAre;
using testing::Lt;

class OrderScenario : public Scenario {
 protected:
  OrderScenario() {
    options.ordering = core::Ordering::kKey;
    options.key.subject_token = 2;
  }

  void PublishKey(const std::string& key, int count = 1) {
    for (int i = 0; i < count; ++i) server().Publish("orders." + key, "x");
  }
  void NakAfter(TestApp& app, uint64_t sequence, absl::Duration delay) {
    Settle(app, {sequence}, {Verdict::kNak, delay, {}});
  }
};

TEST_F(OrderScenario, KeysRunInParallelAndEachInOrder) {
  TestApp& app = Open(StartDaemon());
  PublishKey("a", 2);
  PublishKey("b", 2);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  RunFor(absl::Seconds(1));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 3));
  Ack(app, {3});
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 3, 4));
  Ack(app, {1});
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 3, 4, 2));
}

// Mutation: Retry() without Hold(): what waits here for its next attempt comes again by JetStream.
TEST_F(OrderScenario, WhatFailedIsTriedAgainFromHereUnderANewIdAndItsSuccessorsWait) {
  options.lease_max = absl::Seconds(20);
  TestApp& app = Open(StartDaemon());
  PublishKey("a", 2);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  const uint64_t first_id = app.stream.id_of(1);
  NakAfter(app, 1, absl::Minutes(1));
  RunFor(absl::Seconds(59));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1));
  RunFor(absl::Seconds(2));
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 1));
  EXPECT_NE(app.stream.id_of(1), first_id);
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
  EXPECT_EQ(ack_waits_over, 0);
  Ack(app, {1});
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 1, 2));
}

TEST_F(OrderScenario, AfterTheLastAttemptItGoesBackAndItsSuccessorsGoOn) {
  options.redelivery.max_attempts = 2;
  TestApp& app = Open(StartDaemon());
  PublishKey("a", 2);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 1; }));
  Nak(app, {1});
  ASSERT_THAT(app.stream.sequences(), ElementsAre(1, 1));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
  NakAfter(app, 1, absl::Seconds(1));
  EXPECT_EQ(CountSent(Verdict::kNak), 1u);
  EXPECT_THAT(app.stream.sequences(), ElementsAre(1, 1, 2));
}

TEST_F(OrderScenario, WhatAnAppLeavesKeepsItsPlaceWithItsSibling) {
  TestDaemon& daemon = StartDaemon();
  TestApp& leaving = Open(daemon);
  PublishKey("a", 3);
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.given().size() == 1; }));
  TestApp& sibling = Open(daemon);
  HalfClose(leaving);
  EXPECT_THAT(sibling.stream.sequences(), ElementsAre(1));
  Ack(sibling, {1});
  Ack(sibling, {2});
  EXPECT_THAT(sibling.stream.sequences(), ElementsAre(1, 2, 3));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
}

TEST_F(OrderScenario, WithoutASiblingAllOfTheKeyGoesBackInOrder) {
  TestDaemon& first = StartDaemon();
  TestApp& leaving = Open(first);
  PublishKey("a", 4);
  ASSERT_TRUE(RunUntil([&] { return leaving.stream.given().size() == 1; }));
  RunFor(absl::Milliseconds(50));
  TestApp& other = Open(StartDaemon());
  HalfClose(leaving);
  ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == 1; }, options.pull_expires * 2));
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) {
    ASSERT_TRUE(RunUntil([&] { return other.stream.given().size() == sequence; }));
    Ack(other, {sequence});
  }
  EXPECT_THAT(other.stream.sequences(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(ack_waits_over, 0);
}

// Mutation: a BeginDrain() after which what is held has left its lane.
TEST_F(OrderScenario, InADrainWhatIsBehindAHeldMessageFollowsItsVerdict) {
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon);
  PublishKey("a", 3);
  PublishKey("b", 2);
  ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == 2; }));
  RunFor(absl::Milliseconds(50));
  Drain(daemon, absl::Seconds(10));
  RunFor(absl::Seconds(5));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
  Ack(app, {4});
  NakAfter(app, 1, absl::Minutes(1));
  ASSERT_TRUE(RunUntil([&] { return daemon.report.has_value(); }, absl::Seconds(2)));
  std::vector<uint64_t> naked;
  for (const Sent& one : sent) {
    if (one.verdict == Verdict::kNak) naked.push_back(one.sequence);
  }
  EXPECT_THAT(naked, ElementsAre(5, 1, 2, 3)) << "key b was done first";
  EXPECT_EQ(daemon.report->unsettled, 0u);
}

// Mutation: LeaveAbsent() that only leaves.
TEST_F(OrderScenario, BehindAMessageWhoseLeaseEndedTheOthersWaitForItsReturn) {
  options.lease_max = absl::Seconds(2);
  server_options.consumer.ack_wait = absl::Seconds(1);
  TestApp& stuck = Open(StartDaemon());
  PublishKey("a", 3);
  ASSERT_TRUE(RunUntil([&] { return stuck.stream.last<core::LeasesEndedNotice>() != nullptr; }));
  ASSERT_TRUE(RunUntil([&] { return stuck.stream.given().size() == 2; }, absl::Seconds(2)));
  EXPECT_THAT(stuck.stream.sequences(), ElementsAre(1, 1));
  Ack(stuck, {1});
  EXPECT_THAT(stuck.stream.sequences(), ElementsAre(1, 1, 2));
}

// Nine of ten messages are of one key, of which only one is handled in a second: the others do not notice, and what is
// kept here is bounded. Mutations: GiveBackLatest() that does nothing; lanes that take credit from the apps.
TEST_F(OrderScenario, AHotKeyHoldsUpOnlyItself) {
  constexpr uint64_t kMessages = 500;
  constexpr uint32_t kMostWaiting = 10;
  server_options.consumer.max_ack_pending = 1000;
  options.waiting_share = 1;
  TestDaemon& daemon = StartDaemon();
  TestApp& app = Open(daemon, {.messages = 8});
  for (uint64_t sequence = 1; sequence <= kMessages; ++sequence) {
    PublishKey(sequence % 10 == 0 ? std::to_string(sequence) : "hot");
  }
  size_t seen = 0;
  uint64_t others = 0;
  uint64_t most_buffered = 0;
  std::vector<uint64_t> hot;
  absl::Time hot_done = now();
  const auto work = [&] {
    for (; seen < app.stream.given().size(); ++seen) {
      const uint64_t sequence = app.stream.given()[seen].stream_sequence;
      if (sequence % 10 == 0) {
        ++others;
        Ack(app, {sequence});
      } else {
        hot.push_back(sequence);
        hot_done = now() + absl::Seconds(1);
      }
    }
    if (!hot.empty() && now() >= hot_done) Ack(app, {hot.back()}), hot_done = absl::InfiniteFuture();
    most_buffered = std::max(most_buffered, daemon.core->consumers().front()->gauges().buffered);
  };
  const absl::Time began = now();
  while (others < kMessages / 10 && now() < began + absl::Seconds(10)) {
    RunFor(absl::Milliseconds(1));
    work();
  }
  EXPECT_EQ(others, kMessages / 10);
  EXPECT_LT(now() - began, absl::Seconds(1));
  EXPECT_LE(most_buffered, kMostWaiting);
  for (int i = 0; i < 60'000; ++i) {
    RunFor(absl::Milliseconds(1));
    work();
  }
  EXPECT_TRUE(std::is_sorted(hot.begin(), hot.end()));
  EXPECT_GT(hot.size(), 30u);
}

class RedeliveryScenario : public Scenario {};

TEST_F(RedeliveryScenario, TheDelayIsThePolicysUnlessTheAppNamesOne) {
  options.redelivery.backoff = {absl::Seconds(2), absl::Seconds(4)};
  TestApp& app = Open(StartDaemon());
  Publish(1);
  std::vector<absl::Time> given;
  const auto fail = [&](absl::Duration asked) {
    const size_t next = given.size() + 1;
    ASSERT_TRUE(RunUntil([&] { return app.stream.given().size() == next; }));
    given.push_back(now());
    Settle(app, {1}, {Verdict::kNak, asked, {}});
  };
  for (absl::Duration asked : {absl::ZeroDuration(), absl::ZeroDuration(), absl::Milliseconds(500)}) fail(asked);
  fail(absl::ZeroDuration());
  const auto waited = [&](int step) { return given[step] - given[step - 1]; };
  EXPECT_THAT(waited(1) - absl::Seconds(2), Lt(absl::Milliseconds(50)));
  EXPECT_GE(waited(1), absl::Seconds(2));
  EXPECT_GE(waited(2), absl::Seconds(4));
  EXPECT_THAT(waited(3), Lt(absl::Seconds(1)));
}

// More messages than may be pending fail once, and their app wants them again in an hour. Mutation: MayWaitLong() that
// always says yes.
TEST_F(RedeliveryScenario, FailuresCannotStallTheHealthy) {
  constexpr uint64_t kFailing = 40;
  constexpr uint64_t kHealthy = 40;
  server_options.consumer.max_ack_pending = 20;
  TestApp& app = Open(StartDaemon());
  Publish(kFailing + kHealthy);
  size_t seen = 0;
  uint64_t healthy = 0;
  const auto work = [&] {
    for (; seen < app.stream.given().size(); ++seen) {
      const auto& given = app.stream.given()[seen];
      const bool fails = given.stream_sequence <= kFailing && given.num_delivered == 1;
      const uint64_t sequence = given.stream_sequence;
      healthy += sequence > kFailing;
      Settle(app, {sequence},
             {fails ? Verdict::kNak : Verdict::kAck, fails ? absl::Hours(1) : absl::ZeroDuration(), {}});
    }
  };
  for (int i = 0; i < 20'000 && healthy < kHealthy; ++i) {
    RunFor(absl::Milliseconds(1));
    work();
  }
  EXPECT_EQ(healthy, kHealthy);
  EXPECT_TRUE(RunUntil([&] { return server().num_ack_pending() == 10; })) << "half of them wait as they were told";
}

}  // namespace
}  // namespace sluice::test
