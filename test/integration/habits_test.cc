// What core relies on of JetStream, script by script: once against the model that the simulation runs on, once against
// each real server. So the model stays honest.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "test/integration/worlds.h"

namespace sluice::test {
namespace {

using core::Verdict;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = core::PullStatus::Kind;

class HabitsTest : public testing::TestWithParam<std::string> {
 protected:
  bool Start(const Settings& settings = {}) {
    world_ = MakeWorld(GetParam());
    if (!world_->Start(settings, {&recorder_})) return false;
    if (!world_->Await([this] { return !recorder_.connections_.empty(); })) return false;
    world_->Do([](core::MessageSource& source) { source.Attach(); });
    return world_->Await([this] { return !recorder_.attached_.empty(); }) && recorder_.attached_[0].ok();
  }
  void TearDown() override { world_.reset(); }
  static bool IsVersion(const std::string& prefix) {
    return !IsModel(GetParam()) && NatsServerVersion(GetParam()).starts_with(prefix + ".");
  }

  void Publish(int count, size_t size = 10) {
    for (int i = 0; i < count; ++i) world_->Publish(std::string(size, 'x'));
  }
  void Pull(uint32_t batch, absl::Duration expires = absl::Seconds(10), uint64_t max_bytes = 0,
            absl::Duration heartbeat = absl::ZeroDuration()) {
    world_->Do([&](core::MessageSource& source) { source.Pull({++pulls_, batch, max_bytes, expires, heartbeat}); });
  }
  bool AwaitMessages(size_t count) {
    return world_->Await([&] { return recorder_.messages_.size() >= count; });
  }
  bool AwaitStatuses(size_t count) {
    return world_->Await([&] { return recorder_.statuses_.size() >= count; });
  }
  // On the i-th message that came.
  void Settle(size_t i, Verdict verdict, absl::Duration delay = absl::ZeroDuration()) {
    world_->Do([&](core::MessageSource& source) { source.Settle(ReplyOf(i), {verdict, delay, {}}); });
  }
  // The same, and returns when the server has acted on it and all before.
  bool Confirm(size_t i, Verdict verdict) {
    return Answers([&](core::MessageSource& source, uint64_t tag) {
      source.Confirm(ReplyOf(i), {verdict, {}, {}}, tag);
    });
  }
  // Returns when the server has acted on all before.
  bool Fence(size_t i) {
    return Answers([&](core::MessageSource& source, uint64_t tag) { source.Fence(ReplyOf(i), tag); });
  }
  bool Answers(const std::function<void(core::MessageSource&, uint64_t)>& question) {
    const size_t before = recorder_.confirmed_.size();
    world_->Do([&](core::MessageSource& source) { question(source, before); });
    if (!world_->Await([&] { return recorder_.confirmed_.size() > before; })) return false;
    return recorder_.confirmed_[before].second.ok();
  }
  core::ConsumerInfo Info() {
    const size_t before = recorder_.infos_.size();
    world_->Do([](core::MessageSource& source) { source.RequestInfo(); });
    EXPECT_TRUE(world_->Await([&] { return recorder_.infos_.size() > before; }));
    return recorder_.infos_.back().value_or(core::ConsumerInfo());
  }
  // What came from the i-th message on: "<stream sequence>#<num_delivered>".
  std::vector<std::string> Came(size_t from = 0) {
    std::vector<std::string> came;
    for (size_t i = from; i < recorder_.messages_.size(); ++i) {
      const core::Message& message = recorder_.messages_[i];
      came.push_back(absl::StrCat(message.stream_sequence, "#", message.num_delivered));
    }
    return came;
  }
  absl::string_view ReplyOf(size_t i) { return recorder_.messages_[i].reply; }

  std::unique_ptr<World> world_;
  Recorder recorder_;
  uint64_t pulls_ = 0;
};

TEST_P(HabitsTest, PullsTakeMessagesInStreamOrder) {
  ASSERT_TRUE(Start());
  Publish(5);
  Pull(3);
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_THAT(Came(), ElementsAre("1#1", "2#1", "3#1"));
  Pull(2);
  ASSERT_TRUE(AwaitMessages(5));
  EXPECT_THAT(Came(3), ElementsAre("4#1", "5#1"));
  EXPECT_THAT(recorder_.statuses_, IsEmpty()) << "a fulfilled pull without a byte limit ends without a word";
  const core::ConsumerInfo info = Info();
  EXPECT_EQ(info.num_ack_pending, 5u);
  EXPECT_EQ(info.num_pending, 0u);
}

TEST_P(HabitsTest, AnExpiredPullTellsHowManyItDidNotSend) {
  ASSERT_TRUE(Start());
  Publish(3);
  Pull(10, absl::Milliseconds(500));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_THAT(Came(), ElementsAre("1#1", "2#1", "3#1"));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kExpired);
  EXPECT_EQ(recorder_.statuses_[0].pull_id, 1u);
  EXPECT_EQ(recorder_.statuses_[0].unsent, 7u);
}

TEST_P(HabitsTest, AFulfilledPullWithBytesLeftIsToldToBeOver) {
  ASSERT_TRUE(Start());
  Publish(3);
  Pull(2, absl::Seconds(10), 1 << 20);
  ASSERT_TRUE(AwaitMessages(2));
  if (IsVersion("2.9")) return;  // says nothing
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kExpired);
  EXPECT_EQ(recorder_.statuses_[0].unsent, 0u);
}

TEST_P(HabitsTest, AMessageTooLargeForAPullEndsIt) {
  ASSERT_TRUE(Start());
  Publish(1);
  Publish(1, 5000);
  Publish(1);
  Pull(3, absl::Seconds(10), 1000);
  ASSERT_TRUE(AwaitMessages(1));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kMessageTooLarge);
  EXPECT_EQ(recorder_.statuses_[0].unsent, 2u);
  Pull(2);
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_THAT(Came(), ElementsAre("1#1", "2#1", "3#1"));
}

TEST_P(HabitsTest, HeartbeatsTellThatAnIdlePullIsAlive) {
  ASSERT_TRUE(Start());
  Pull(1, absl::Seconds(2), 0, absl::Milliseconds(300));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_GE(recorder_.heartbeats_, 2);
}

TEST_P(HabitsTest, NaksComeBackFirstAndInTheirOrder) {
  ASSERT_TRUE(Start());
  Publish(6);
  Pull(4);
  ASSERT_TRUE(AwaitMessages(4));
  Settle(2, Verdict::kNak);
  Settle(0, Verdict::kNak);
  Settle(1, Verdict::kNak);
  ASSERT_TRUE(Confirm(3, Verdict::kAck));
  Pull(5);
  ASSERT_TRUE(AwaitMessages(9));
  EXPECT_THAT(Came(4), ElementsAre("3#2", "1#2", "2#2", "5#1", "6#1"));
}

TEST_P(HabitsTest, AckAndTermAreTheEndOfAMessage) {
  ASSERT_TRUE(Start());
  Publish(2);
  Pull(2);
  ASSERT_TRUE(AwaitMessages(2));
  Settle(0, Verdict::kTerm);
  ASSERT_TRUE(Confirm(1, Verdict::kAck));
  EXPECT_EQ(Info().num_ack_pending, 0u);
  Pull(5, absl::Milliseconds(300));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].unsent, 5u);
}

TEST_P(HabitsTest, WhatIsSettledAnswersToQuestionsStill) {
  ASSERT_TRUE(Start());
  Publish(1);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(1));
  ASSERT_TRUE(Confirm(0, Verdict::kAck));
  EXPECT_TRUE(Confirm(0, Verdict::kAck));
  EXPECT_TRUE(Confirm(0, Verdict::kInProgress));
}

TEST_P(HabitsTest, AnAckWaitThatEndsBringsTheMessageBack) {
  ASSERT_TRUE(Start({.ack_wait = absl::Milliseconds(500)}));
  Publish(2);
  Pull(2);
  ASSERT_TRUE(AwaitMessages(2));
  ASSERT_TRUE(Confirm(0, Verdict::kAck));
  Pull(1);
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_THAT(Came(2), ElementsAre("2#2"));
}

TEST_P(HabitsTest, InProgressSetsTheAckWaitBack) {
  ASSERT_TRUE(Start({.ack_wait = absl::Seconds(3)}));
  Publish(1);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(1));
  Pull(1, absl::Seconds(30));
  const absl::Time received = world_->Now();
  for (int i = 0; i < 12; ++i) {
    world_->Sleep(absl::Milliseconds(400));
    Settle(0, Verdict::kInProgress);
  }
  ASSERT_TRUE(AwaitMessages(2));
  EXPECT_GE(world_->Now() - received, absl::Milliseconds(12 * 400 + 2500));
  EXPECT_THAT(Came(1), ElementsAre("1#2"));
}

TEST_P(HabitsTest, ADelayedNakWaits) {
  ASSERT_TRUE(Start());
  Publish(2);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(1));
  const absl::Time naked = world_->Now();
  Settle(0, Verdict::kNak, absl::Milliseconds(700));
  Pull(2);
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_GE(world_->Now() - naked, absl::Milliseconds(690));
  EXPECT_THAT(Came(1), ElementsAre("2#1", "1#2"));
}

TEST_P(HabitsTest, AFenceTouchesNoMessage) {
  ASSERT_TRUE(Start({.ack_wait = absl::Seconds(4)}));
  Publish(2);
  Pull(2);
  ASSERT_TRUE(AwaitMessages(2));
  const absl::Time received = world_->Now();
  Pull(2, absl::Seconds(30));
  Settle(0, Verdict::kNak, absl::Milliseconds(700));
  world_->Sleep(absl::Milliseconds(400));
  EXPECT_TRUE(Fence(0));
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_LT(world_->Now() - received, absl::Seconds(3)) << "an in-progress would have set the NAK back to the ack wait";
  world_->Sleep(absl::Seconds(2));
  EXPECT_TRUE(Fence(1));
  ASSERT_TRUE(AwaitMessages(4));
  EXPECT_LT(world_->Now() - received, absl::Seconds(5)) << "an in-progress would have set the ack wait back";
  EXPECT_THAT(Came(2), ElementsAre("1#2", "2#2"));
  EXPECT_EQ(Info().num_ack_pending, 2u);
}

TEST_P(HabitsTest, ALateNakTakesTheMessageFromItsNextHolder) {
  ASSERT_TRUE(Start({.ack_wait = absl::Milliseconds(500)}));
  Publish(1);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(1));
  Pull(1);
  ASSERT_TRUE(AwaitMessages(2));
  Settle(0, Verdict::kNak);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(3));
  EXPECT_THAT(Came(), ElementsAre("1#1", "1#2", "1#3"));
}

TEST_P(HabitsTest, ALateAckSettlesTheNextAttempt) {
  ASSERT_TRUE(Start({.ack_wait = absl::Milliseconds(500)}));
  Publish(1);
  Pull(1);
  ASSERT_TRUE(AwaitMessages(1));
  Pull(1);
  ASSERT_TRUE(AwaitMessages(2));
  ASSERT_TRUE(Confirm(0, Verdict::kAck));
  EXPECT_EQ(Info().num_ack_pending, 0u);
}

TEST_P(HabitsTest, MaxAckPendingHoldsBackNewMessagesButNoRedeliveries) {
  ASSERT_TRUE(Start({.max_ack_pending = 2}));
  Publish(3);
  Pull(10, absl::Milliseconds(500));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_THAT(Came(), ElementsAre("1#1", "2#1"));
  Settle(1, Verdict::kNak);
  Pull(10);
  ASSERT_TRUE(AwaitMessages(3));
  Settle(0, Verdict::kAck);
  ASSERT_TRUE(AwaitMessages(4));
  EXPECT_THAT(Came(2), ElementsAre("2#2", "3#1"));
}

TEST_P(HabitsTest, MaxDeliverIsTheEndOfAMessage) {
  ASSERT_TRUE(Start({.max_deliver = 2}));
  Publish(1);
  for (size_t attempt = 0; attempt < 2; ++attempt) {
    Pull(1);
    ASSERT_TRUE(AwaitMessages(attempt + 1));
    Settle(attempt, Verdict::kNak);
  }
  Pull(1, absl::Milliseconds(500));
  ASSERT_TRUE(AwaitStatuses(1));
  EXPECT_THAT(Came(), ElementsAre("1#1", "1#2"));
  EXPECT_EQ(Info().num_ack_pending, 0u);
}

TEST_P(HabitsTest, ClosingEndsWhenAllThatCameIsHandedOver) {
  ASSERT_TRUE(Start());
  Publish(3);
  Pull(3);
  ASSERT_TRUE(AwaitMessages(3));
  world_->Do([](core::MessageSource& source) { source.CloseIntake(); });
  ASSERT_TRUE(world_->Await([this] { return recorder_.closed_ == 1; }));
  Settle(1, Verdict::kNak);
  ASSERT_TRUE(Confirm(0, Verdict::kAck)) << "verdicts go on";
  EXPECT_EQ(Info().num_ack_pending, 2u);
}

std::vector<std::string> Worlds() {
  std::vector<std::string> worlds = {kModel, kReplicatedModel};
  for (std::string& binary : NatsServerBinaries()) worlds.push_back(std::move(binary));
  return worlds;
}

INSTANTIATE_TEST_SUITE_P(All, HabitsTest, testing::ValuesIn(Worlds()), WorldName);

}  // namespace
}  // namespace sluice::test
