// What core relies on of ack_policy: all, script by script, as in habits_test.cc: against the model, and each real
// server.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "jetstream/server_version.h"
#include "test/integration/worlds.h"

namespace sluice::test {
namespace {

using core::Verdict;
using testing::ElementsAre;

class AckAllHabitsTest : public testing::TestWithParam<std::string> {
 protected:
  // With messages 1 to 6 delivered, as consumer sequences 1 to 6.
  bool Start(absl::Duration ack_wait = absl::Seconds(30)) {
    world_ = MakeWorld(GetParam());
    if (!world_->Start({.ack_wait = ack_wait, .ack_all = true}, {&recorder_})) return false;
    if (!world_->Await([this] { return !recorder_.connections_.empty(); })) return false;
    world_->Do([](core::MessageSource& source) { source.Attach(); });
    if (!world_->Await([this] { return !recorder_.attached_.empty(); }) || !recorder_.attached_[0].ok()) return false;
    for (int i = 0; i < 8; ++i) world_->Publish("x");
    return Pull(6, 6);
  }
  void TearDown() override { world_.reset(); }

  bool Pull(uint32_t batch, size_t messages) {
    world_->Do([&](core::MessageSource& source) {
      source.Pull({++pulls_, batch, 0, absl::Seconds(10), absl::ZeroDuration()});
    });
    return world_->Await([&] { return recorder_.messages_.size() >= messages; });
  }
  // On the i-th message that came; returns when the server has acted on it. `as`: its consumer sequence, 0: its own.
  bool Confirm(size_t i, Verdict verdict, uint64_t as = 0, absl::Duration delay = absl::ZeroDuration()) {
    const size_t before = recorder_.confirmed_.size();
    world_->Do([&](core::MessageSource& source) {
      source.Confirm(recorder_.messages_[i].reply, {verdict, delay, {}, as}, before);
    });
    return world_->Await([&] { return recorder_.confirmed_.size() > before; }) &&
           recorder_.confirmed_[before].second.ok();
  }
  core::ConsumerInfo Info() {
    const size_t before = recorder_.infos_.size();
    world_->Do([](core::MessageSource& source) { source.RequestInfo(); });
    EXPECT_TRUE(world_->Await([&] { return recorder_.infos_.size() > before; }));
    return recorder_.infos_.back().value_or(core::ConsumerInfo());
  }
  // Of its ACKs, and what is not settled: "floor 3 as 3, 3 pending".
  std::string Floor() {
    const core::ConsumerInfo info = Info();
    return absl::StrCat("floor ", info.ack_floor, " as ", info.ack_floor_consumer_sequence, ", ", info.num_ack_pending,
                        " pending");
  }
  std::vector<std::string> Came(size_t from) {
    std::vector<std::string> came;
    for (size_t i = from; i < recorder_.messages_.size(); ++i) {
      const core::Message& message = recorder_.messages_[i];
      came.push_back(absl::StrCat(message.stream_sequence, "#", message.num_delivered));
    }
    return came;
  }

  std::unique_ptr<World> world_;
  Recorder recorder_;
  uint64_t pulls_ = 0;
};

TEST_P(AckAllHabitsTest, AnAckSettlesAllBeforeIt) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(2, Verdict::kAck));
  EXPECT_EQ(Floor(), "floor 3 as 3, 3 pending");
}

TEST_P(AckAllHabitsTest, ATermSettlesAllBeforeIt) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(2, Verdict::kTerm));
  EXPECT_EQ(Floor(), "floor 3 as 3, 3 pending");
}

TEST_P(AckAllHabitsTest, ANakGivesBackItsMessageAlone) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(2, Verdict::kNak));
  ASSERT_TRUE(Pull(2, 8));
  EXPECT_THAT(Came(6), ElementsAre("3#2", "7#1"));
  EXPECT_EQ(Floor(), "floor 0 as 0, 7 pending");
}

TEST_P(AckAllHabitsTest, AnInProgressExtendsItsMessageAlone) {
  ASSERT_TRUE(Start(absl::Seconds(1)));
  for (int i = 0; i < 4; ++i) {
    world_->Sleep(absl::Milliseconds(400));
    ASSERT_TRUE(Confirm(1, Verdict::kInProgress));
  }
  ASSERT_TRUE(Pull(5, 11));
  EXPECT_THAT(Came(6), testing::UnorderedElementsAre("1#2", "3#2", "4#2", "5#2", "6#2"));
}

TEST_P(AckAllHabitsTest, AnAckSettlesWhatWasNakedBeforeIt) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(1, Verdict::kNak));
  ASSERT_TRUE(Confirm(2, Verdict::kNak, 0, absl::Milliseconds(300)));
  ASSERT_TRUE(Confirm(4, Verdict::kAck));
  world_->Sleep(absl::Milliseconds(500));
  ASSERT_TRUE(Pull(1, 7));
  EXPECT_THAT(Came(6), ElementsAre("7#1")) << "what was given back does not come again";
}

// The trap that AckFloor is made for.
TEST_P(AckAllHabitsTest, AnAckOfWhatWasDeliveredAgainMakesAllDeliveredBeforeItOld) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(2, Verdict::kNak));
  ASSERT_TRUE(Pull(1, 7));
  ASSERT_TRUE(Confirm(6, Verdict::kAck)) << "message 3, as consumer sequence 7";
  EXPECT_EQ(Floor(), "floor 3 as 7, 3 pending");
  ASSERT_TRUE(Confirm(5, Verdict::kAck)) << "answered, and ignored";
  EXPECT_EQ(Floor(), "floor 3 as 7, 3 pending");
  ASSERT_TRUE(Confirm(3, Verdict::kNak)) << "the same";
  ASSERT_TRUE(Pull(1, 8));
  EXPECT_THAT(Came(7), ElementsAre("7#1"));
}

TEST_P(AckAllHabitsTest, AnAckWithTheLeastConsumerSequenceThatCountsDoesNot) {
  ASSERT_TRUE(Start());
  ASSERT_TRUE(Confirm(2, Verdict::kNak));
  ASSERT_TRUE(Pull(1, 7));
  ASSERT_TRUE(Confirm(6, Verdict::kAck, 1));
  EXPECT_EQ(Floor(), "floor 3 as 1, 3 pending");
  ASSERT_TRUE(Confirm(3, Verdict::kNak));
  ASSERT_TRUE(Pull(1, 8));
  EXPECT_THAT(Came(7), ElementsAre("4#2"));
  ASSERT_TRUE(Confirm(5, Verdict::kAck, 2));
  EXPECT_EQ(Floor(), "floor 6 as 2, 0 pending");
}

// From 2.10 on; 2.10.27 tells it in CONSUMER.INFO, 2.15.2 does not. The model does not do it: AckFloorTest plays it.
class AckAllServerTest : public AckAllHabitsTest {};

TEST_P(AckAllServerTest, WhenNothingIsOutstandingTheServerLiftsItsFloorToWhatItDeliveredLast) {
  ASSERT_TRUE(Start(absl::Seconds(1)));
  ASSERT_TRUE(Confirm(5, Verdict::kAck, 1));
  EXPECT_EQ(Info().num_ack_pending, 0u);
  world_->Sleep(absl::Milliseconds(1500));  // an ack wait must end
  ASSERT_TRUE(Pull(2, 8));
  if (jetstream::VersionAtLeast(NatsServerVersion(GetParam()), 2, 10, 0)) {
    ASSERT_TRUE(Confirm(6, Verdict::kAck, 2)) << "answered, and ignored";
    EXPECT_EQ(Info().num_ack_pending, 2u);
  }
  ASSERT_TRUE(Confirm(6, Verdict::kAck, 7));
  EXPECT_EQ(Floor(), "floor 7 as 7, 1 pending");
}

INSTANTIATE_TEST_SUITE_P(All, AckAllServerTest, testing::ValuesIn(NatsServerBinaries()), WorldName);

std::vector<std::string> AckAllWorlds() {
  std::vector<std::string> worlds = {kModel, kReplicatedModel};
  for (std::string& binary : NatsServerBinaries()) worlds.push_back(std::move(binary));
  return worlds;
}

INSTANTIATE_TEST_SUITE_P(All, AckAllHabitsTest, testing::ValuesIn(AckAllWorlds()), WorldName);

}  // namespace
}  // namespace sluice::test
