// Dead letters with real processes: what becomes one, what does not, and the way back.
#include <signal.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "jetstream/stored_message.h"
#include "nlohmann/json.hpp"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

constexpr char kDeadStream[] = "DEAD";
constexpr int kEveryTenth = 10;  // fails in the apps' modes

class DeadLetterTest : public IntegrationTest {
 protected:
  DeadLetterTest() {
    options_.more =
        "    redelivery: {initial: 20ms, max: 50ms, max_attempts: 3}\n"
        "    dead_letter: {subject: dead.orders}\n"
        "    resume_window: 100ms\n";
  }
  bool CreateDeadStream() {
    const absl::Status created = admin_->CreateStream(kDeadStream, {"dead.>"});
    EXPECT_TRUE(created.ok()) << created;
    return created.ok();
  }
  int64_t Count(const std::string& stream) {
    const auto info = admin_->StreamInfo(stream);
    return info.ok() ? info->at("state").at("messages").get<int64_t>() : -1;
  }
  bool AwaitDead(int64_t count) {
    const bool reached = Eventually([&] { return Count(kDeadStream) >= count; });
    EXPECT_EQ(Count(kDeadStream), count);
    return reached;
  }
  bool AwaitNothingPending() {
    const bool none = Eventually([&] { return Told("num_ack_pending") == 0 && Told("num_pending") == 0; });
    EXPECT_TRUE(none) << Told("num_ack_pending") << " wait for an ack";
    return none;
  }
  bool Publish(int count) {
    const absl::Status published = admin_->PublishNumbers(kSubject, count, 1);
    EXPECT_TRUE(published.ok()) << published;
    return published.ok();
  }
  // Of the dead letter at this place of its stream.
  std::map<std::string, std::string> Headers(uint64_t sequence, const std::string& stream = kDeadStream) {
    std::map<std::string, std::string> headers;
    const auto body = admin_->Api(absl::StrCat("STREAM.MSG.GET.", stream), {{"seq", sequence}});
    EXPECT_TRUE(body.ok()) << body.status();
    const auto message = jetstream::ParseStoredMessage(body.ok() ? body->dump() : "");
    if (!message.ok()) return headers;
    for (const core::Header& header : message->headers) headers[std::string(header.name)] = std::string(header.value);
    return headers;
  }
  std::vector<std::string> RedriveCommand(const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {SluiceBinary(),       "redrive",    "--config",
                                     dir_ / "sluice.yaml", "--consumer", kDurable};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
};

// jetstream#425, dapr#8519: no dead letters with a reason. Here they have one, and the message is not pending any more.
TEST_P(DeadLetterTest, WhatFailsForGoodIsSetAsideWithItsReason) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(StartDaemon());
  StartApp({.mode = "poison"});
  ASSERT_TRUE(Publish(20));
  ASSERT_TRUE(AwaitDead(2));
  ASSERT_TRUE(AwaitNothingPending());
  EXPECT_EQ(HandledSoFar(), 18u);
  auto headers = Headers(1);
  EXPECT_EQ(headers["Sluice-Dead-Letter-Reason"], "failed");
  EXPECT_EQ(headers["Sluice-Dead-Letter-Attempts"], "3");
  EXPECT_EQ(headers["Sluice-Dead-Letter-Stream"], kStream);
  EXPECT_EQ(headers["Sluice-Dead-Letter-Consumer"], kDurable);
  const std::set<std::string> sequences = {headers["Sluice-Dead-Letter-Sequence"],
                                           Headers(2)["Sluice-Dead-Letter-Sequence"]};
  EXPECT_EQ(sequences, (std::set<std::string>{"10", "20"}));
  EXPECT_EQ(headers["Sluice-Dead-Letter-Subject"], kSubject);
  EXPECT_LT(headers["Sluice-Dead-Letter-First-Attempt"], headers["Sluice-Dead-Letter-Last-Attempt"]);
  EXPECT_EQ(daemon_->Counts().dead_lettered(), 2u);
  EXPECT_EQ(daemon_->Terminate(), 0);
}

// No stream takes them: told, and kept; once there is one each lands there once.
TEST_P(DeadLetterTest, WithoutTheirStreamNothingIsLost) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.mode = "poison"});
  ASSERT_TRUE(Publish(20));
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().dead_letter_failures() >= 4; }));
  const std::string detail = daemon_->Status().consumers(0).state().detail();
  EXPECT_NE(detail.find("no stream holds the subject 'dead.orders'; add it to one"), std::string::npos) << detail;
  EXPECT_EQ(Told("num_ack_pending"), 2);
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(AwaitDead(2));
  ASSERT_TRUE(AwaitNothingPending());
  EXPECT_EQ(Count(kDeadStream), 2);
  EXPECT_TRUE(Eventually([&] { return daemon_->Status().consumers(0).state().detail().empty(); }));
  EXPECT_EQ(daemon_->Terminate(), 0);
}

// dapr#9604: a drain that looks like a failure puts healthy messages into the dead letters. Ten rollouts cut slow apps
// off again and again, until messages have been delivered more often than max_attempts; none of them has failed.
// Mutation: a drain whose NAKs count as failures.
TEST_P(DeadLetterTest, TenRolloutsSetNothingHealthyAside) {
  constexpr int kRollouts = 10;
  constexpr int kMessages = 12;
  options_.drain_timeout = absl::Milliseconds(50);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(Publish(kMessages));
  for (int rollout = 0; rollout < kRollouts; ++rollout) {
    ASSERT_TRUE(StartDaemon());
    AppProcess& slow = StartApp({.work_ms = 60'000, .concurrency = kMessages});
    ASSERT_TRUE(Eventually([&] { return daemon_->Counts().in_flight() == kMessages; }));
    ASSERT_EQ(daemon_->Terminate(), 0);
    EXPECT_EQ(daemon_->Reported("naked"), kMessages);
    EXPECT_EQ(daemon_->Reported("dead_lettered"), 0);
    slow.Kill();
  }
  ASSERT_TRUE(StartDaemon());
  StartApp({.concurrency = kMessages});
  ASSERT_TRUE(AwaitHandledInAll(kMessages));
  ASSERT_TRUE(AwaitNothingPending());
  EXPECT_EQ(Count(kDeadStream), 0);
  for (const Handled& line : handled_.Read()) EXPECT_GT(line.num_delivered, kRollouts) << "or nothing is shown";
}

// components-contrib#3136: an app that is down burns max_deliver. Here nothing is delivered without one.
TEST_P(DeadLetterTest, AnAppThatIsDownBurnsNothing) {
  options_.max_deliver = 5;
  options_.ack_wait = absl::Milliseconds(500);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(StartDaemon());
  ASSERT_TRUE(daemon_->AwaitReady().ok());
  ASSERT_TRUE(Publish(20));
  EXPECT_EQ(daemon_->Counts().received(), 0u);
  EXPECT_EQ(Told("num_pending"), 20);
  EXPECT_EQ(daemon_->Counts().pulls(), 0u);
  StartApp();
  ASSERT_TRUE(AwaitHandled(20));
  ASSERT_TRUE(AwaitNothingPending());
  for (const Handled& line : handled_.Read()) EXPECT_EQ(line.num_delivered, 1u);
  EXPECT_EQ(Count(kDeadStream), 0);
}

// What kills its app before any verdict is set aside after max_deliveries, and no app sees it again.
TEST_P(DeadLetterTest, WhatKillsItsAppsIsSetAsideUnseen) {
  options_.more =
      "    dead_letter: {subject: dead.orders, max_deliveries: 3}\n"
      "    resume_window: 50ms\n";
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(StartDaemon());
  ASSERT_TRUE(Publish(kEveryTenth));
  for (int death = 1; death <= 3; ++death) {
    EXPECT_EQ(StartApp({.mode = "crash", .credit = 1}).Wait(), 1) << "death " << death;
  }
  StartApp({.mode = "crash", .credit = 1});
  ASSERT_TRUE(AwaitDead(1));
  EXPECT_EQ(Headers(1)["Sluice-Dead-Letter-Reason"], "max_deliveries");
  EXPECT_EQ(Headers(1)["Sluice-Dead-Letter-Attempts"], "4");
  ASSERT_TRUE(AwaitNothingPending());
}

// What the server itself gives up, as the daemon that had it was killed, its successor sets aside.
TEST_P(DeadLetterTest, WhatTheServerGivesUpIsSetAside) {
  constexpr int kMessages = 5;
  options_.max_deliver = 1;
  options_.ack_wait = absl::Seconds(1);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(StartDaemon());
  AppProcess& hung = StartApp({.mode = "hung", .concurrency = kMessages});
  ASSERT_TRUE(Publish(kMessages));
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().in_flight() == kMessages; }));
  daemon_->Signal(SIGKILL);
  ASSERT_EQ(daemon_->Wait(), -SIGKILL);
  hung.Kill();
  ASSERT_TRUE(StartDaemon());
  StartApp();
  ASSERT_TRUE(AwaitDead(kMessages));
  EXPECT_EQ(Headers(1)["Sluice-Dead-Letter-Reason"], "given_up");
  EXPECT_EQ(Headers(1)["Sluice-Dead-Letter-Attempts"], "1");
  EXPECT_EQ(daemon_->Counts().dead_lettered(), static_cast<uint64_t>(kMessages));
  EXPECT_EQ(HandledSoFar(), 0u);
  EXPECT_EQ(daemon_->Terminate(), 0);
}

// All fails, is put back by a redrive that is killed in the middle and one that is not, and is handled then.
TEST_P(DeadLetterTest, ARoundTripThroughAKilledRedriveRepeatsNothing) {
  constexpr int kMessages = 400;
  options_.more =
      "    redelivery: {max_attempts: 1}\n"
      "    dead_letter: {subject: dead.orders}\n";
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(StartDaemon());
  AppProcess& failing = StartApp({.mode = "nak-all", .concurrency = 8});
  ASSERT_TRUE(Publish(kMessages));
  ASSERT_TRUE(AwaitDead(kMessages));
  ASSERT_TRUE(AwaitNothingPending());
  failing.Terminate();
  ASSERT_TRUE(failing.Wait().has_value());

  const Finished dry = RunCommand(RedriveCommand({"--dry-run", "--output", "json"}));
  ASSERT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(nlohmann::json::parse(dry.out)["redriven"], kMessages);
  ASSERT_EQ(Count(kDeadStream), kMessages);
  {
    Process killed(RedriveCommand(), dir_ / "redrive.out", dir_ / "redrive.err");
    ASSERT_TRUE(Eventually([&] { return Count(kDeadStream) < kMessages; }));
    killed.Signal(SIGKILL);
    ASSERT_TRUE(killed.Wait(absl::Seconds(10)).has_value());
  }
  const int64_t left = Count(kDeadStream);
  std::cout << "killed with " << left << " of " << kMessages << " left\n";
  const Finished redrive = RunCommand(RedriveCommand({"--output", "json"}));
  ASSERT_EQ(redrive.exit_code, 0) << redrive.err;
  EXPECT_EQ(nlohmann::json::parse(redrive.out)["redriven"], left);
  EXPECT_EQ(Count(kDeadStream), 0);
  EXPECT_EQ(Count(kStream), 2 * kMessages) << "each once, and not a second time";
  EXPECT_EQ(Headers(kMessages + 1, kStream)["Sluice-Redriven-From"], "DEAD/1");

  StartApp({.concurrency = 8});
  ASSERT_TRUE(AwaitHandled(kMessages));
  ASSERT_TRUE(AwaitNothingPending());
  std::map<uint64_t, int> times;
  for (const Handled& line : handled_.Read()) ++times[line.number];
  EXPECT_EQ(times.size(), static_cast<size_t>(kMessages));
  EXPECT_TRUE(std::all_of(times.begin(), times.end(), [](const auto& entry) { return entry.second == 1; }));
}

INSTANTIATE_TEST_SUITE_P(All, DeadLetterTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
