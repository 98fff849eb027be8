// Apps that outlive their daemon: one promise at a time, over two daemons and the model of JetStream.
#include <algorithm>

#include "gmock/gmock.h"
#include "test/sim/scenario.h"

namespace sluice::test {
namespace {

using core::SettleOutcome;
using core::Verdict;
using testing::IsEmpty;

class ResumeScenario : public Scenario {
 protected:
  ResumeScenario() {
    server_options.consumer.ack_wait = absl::Seconds(2);
    with_tokens = true;
  }

  // The app with what it was given, at another daemon. What it goes on with has the id in `ids`, by stream sequence.
  TestApp& Return(TestDaemon& daemon, const TestApp& before, core::Credit credit = {}) {
    core::OpenRequest request = Request(credit, "app");
    for (const auto& given : before.stream.given()) request.tokens.push_back({given.id, given.token});
    TestApp& app = OpenWith(daemon, request);
    const auto* opened = app.stream.last<core::OpenedNotice>();
    ids.clear();
    for (const auto& given : before.stream.given()) {
      if (opened == nullptr) continue;
      for (const auto& adopted : opened->adopted) {
        if (adopted.held_id == given.id) ids[given.stream_sequence] = adopted.id;
      }
      if (std::count(opened->resumed.begin(), opened->resumed.end(), given.id) > 0)
        ids[given.stream_sequence] = given.id;
    }
    return app;
  }
  void Say(TestApp& app, uint64_t sequence, Verdict verdict = Verdict::kAck) {
    const uint64_t id = ids.at(sequence);
    const core::SettleRun run = {{&id, 1}, {verdict, absl::ZeroDuration(), {}}};
    app.session->OnSettle({&run, 1});
  }
  TestApp& OpenResumable(TestDaemon& daemon, core::Credit credit = {}) {
    return OpenWith(daemon, Request(credit, "app"));
  }
  bool Given(const TestApp& app, size_t count) { return app.stream.given().size() == count; }

  std::map<uint64_t, uint64_t> ids;

 private:
  static core::OpenRequest Request(core::Credit credit, const std::string& client_id) {
    core::OpenRequest request;
    request.consumer = "orders";
    request.client_id = client_id;
    request.credit = credit;
    request.resumable = true;
    return request;
  }
};

TEST_F(ResumeScenario, WhatAnAppHasDoneIsSettledByTheSuccessorAndNotDoneTwice) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(5);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 5); }));
  Kill(first);
  TestDaemon& second = StartDaemon();
  TestApp& after = Return(second, before);
  ASSERT_EQ(ids.size(), 5u);
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Say(after, sequence);
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  RunFor(absl::Seconds(10));
  EXPECT_THAT(after.stream.given(), IsEmpty());
  EXPECT_EQ(ack_waits_over, 0);
}

// rocketmq#10278: the proxy renews a handle; when it crashes, the renewed one is lost, and the verdict on the old one
// fails. Here what was renewed for far longer than its ack wait is settled after the crash all the same.
// Mutation: what is in doubt is not extended, or its ACK not forwarded.
TEST_F(ResumeScenario, Rocketmq10278ALeaseThatWasRenewedBeforeTheCrashIsStillSettled) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 1); }));
  RunFor(absl::Seconds(20));
  Kill(first);
  TestDaemon& second = StartDaemon();
  TestApp& after = Return(second, before);
  RunFor(absl::Seconds(20));
  Say(after, 1);
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_THAT(after.stream.given(), IsEmpty());
  EXPECT_EQ(ack_waits_over, 0);
}

TEST_F(ResumeScenario, TheSuccessorOfASuccessorTakesItAsWell) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 1); }));
  Kill(first);
  TestDaemon& second = StartDaemon();
  Return(second, before);
  Kill(second);
  TestApp& after = Return(StartDaemon(), before);
  Say(after, 1);
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(ack_waits_over, 0);
}

// Mutation: a NAK that goes out in doubt snatches it from the sibling.
TEST_F(ResumeScenario, ALateNakDoesNotTakeTheMessageFromItsNewHolder) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 1); }));
  Kill(first);
  TestApp& sibling = Open(StartDaemon());
  ASSERT_TRUE(RunUntil([&] { return Given(sibling, 1); }));
  TestApp& after = Return(StartDaemon(), before);
  Say(after, 1, Verdict::kNak);
  EXPECT_THAT(after.stream.outcomes(ids.at(1)), testing::ElementsAre(SettleOutcome::kLate));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(CountSent(Verdict::kNak), 0u);
  Ack(sibling, {1});
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_EQ(sibling.stream.given().size() + after.stream.given().size(), 1u);
}

// Mutation: no merge.
TEST_F(ResumeScenario, ARedeliveryToTheSuccessorIsNotHandedOut) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(1);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 1); }));
  Kill(first);
  RunFor(absl::Seconds(3));  // it is up for redelivery
  TestApp& after = Return(StartDaemon(), before);
  ASSERT_TRUE(RunUntil([&] { return server().pending(1)->num_delivered == 2; }));
  RunFor(absl::Seconds(6));
  EXPECT_THAT(after.stream.given(), IsEmpty());
  Say(after, 1, Verdict::kTerm);
  ASSERT_TRUE(RunUntil([&] { return server().unsettled() == 0; }));
  EXPECT_THAT(after.stream.given(), IsEmpty());
}

TEST_F(ResumeScenario, WhatAnEarlierDurableDeliveredIsRefusedAndNothingIsDone) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(2);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 2); }));
  Kill(first);
  server().DeleteConsumer();
  server().CreateConsumer();
  sent.clear();
  TestApp& after = Return(StartDaemon(), before);
  EXPECT_THAT(ids, IsEmpty());
  EXPECT_EQ(after.stream.last<core::OpenedNotice>()->refused.size(), 2u);
  ASSERT_TRUE(RunUntil([&] { return Given(after, 2); }));
  EXPECT_THAT(sent, IsEmpty());
}

TEST_F(ResumeScenario, WhatNobodyComesForWaitsForItsAckWait) {
  TestDaemon& first = StartDaemon();
  TestApp& before = OpenResumable(first);
  Publish(3);
  ASSERT_TRUE(RunUntil([&] { return Given(before, 3); }));
  Kill(first);
  TestApp& other = Open(StartDaemon());
  RunFor(absl::Seconds(1));
  EXPECT_THAT(other.stream.given(), IsEmpty());
  ASSERT_TRUE(RunUntil([&] { return Given(other, 3); }, absl::Seconds(3)));
}

TEST_F(ResumeScenario, AForgedTokenDoesNothing) {
  TestDaemon& daemon = StartDaemon();
  Publish(1);
  core::OpenRequest request;
  request.consumer = "orders";
  for (const char* token : {"forged", "", "token-0", "token-99"}) request.tokens.push_back({1, token});
  request.credit.messages = 0;
  TestApp& app = OpenWith(daemon, request);
  EXPECT_EQ(app.stream.last<core::OpenedNotice>()->refused.size(), 4u);
  RunFor(absl::Seconds(5));
  EXPECT_THAT(sent, IsEmpty());
}

}  // namespace
}  // namespace sluice::test
