// What core relies on of a pinned client, script by script, as in habits_test.cc: against the model, and each real
// server that knows them, from 2.11 on. (That older ones do not is FleetTest's to show, by name.)
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "test/integration/worlds.h"

namespace sluice::test {
namespace {

using core::Verdict;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Kind = core::PullStatus::Kind;

constexpr uint64_t kRenewal = uint64_t{1} << 63 | 1;

// Two clients of one consumer.
class PinHabitsTest : public testing::TestWithParam<std::string> {
 protected:
  bool Start(absl::Duration priority_timeout = absl::Seconds(30)) {
    world_ = MakeWorld(GetParam());
    if (!world_->Start({.priority_timeout = priority_timeout}, {&recorders_[0], &recorders_[1]})) return false;
    for (size_t client : {0, 1}) {
      if (!Await(client, [&] { return !recorders_[client].connections_.empty(); })) return false;
      world_->Do([](core::MessageSource& source) { source.Attach(); }, client);
      if (!Await(client, [&] { return !recorders_[client].attached_.empty(); })) return false;
      if (!recorders_[client].attached_[0].ok()) return false;
    }
    return true;
  }
  void TearDown() override { world_.reset(); }

  template <typename Condition>
  bool Await(size_t client, Condition condition) {
    if (IsModel(GetParam())) return world_->Await(condition);
    return recorders_[client].Await(condition);
  }
  bool AwaitMessages(size_t client, size_t count) {
    return Await(client, [this, client, count] { return recorders_[client].messages_.size() >= count; });
  }
  bool AwaitStatuses(size_t client, size_t count) {
    return Await(client, [this, client, count] { return recorders_[client].statuses_.size() >= count; });
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) world_->Publish("x");
  }
  void Pull(size_t client, uint32_t batch, const std::string& pin_id = "", absl::Duration expires = absl::Seconds(20)) {
    world_->Do(
        [&](core::MessageSource& source) {
          source.Pull({++pulls_, batch, 0, expires, absl::ZeroDuration(), pin_id});
        },
        client);
  }
  void Settle(size_t client, size_t i, Verdict verdict) {
    world_->Do(
        [&](core::MessageSource& source) {
          source.Settle(recorders_[client].messages_[i].reply, {verdict, absl::ZeroDuration(), {}});
        },
        client);
  }
  bool Confirm(size_t client, size_t i, Verdict verdict) {
    const size_t before = recorders_[client].confirmed_.size();
    world_->Do(
        [&](core::MessageSource& source) {
          source.Confirm(recorders_[client].messages_[i].reply, {verdict, absl::ZeroDuration(), {}}, before);
        },
        client);
    return Await(client, [&] { return recorders_[client].confirmed_.size() > before; });
  }
  core::ConsumerInfo Info() {
    const size_t before = recorders_[0].infos_.size();
    world_->Do([](core::MessageSource& source) { source.RequestInfo(); });
    EXPECT_TRUE(Await(0, [&] { return recorders_[0].infos_.size() > before; }));
    return recorders_[0].infos_.back().value_or(core::ConsumerInfo());
  }
  std::string PinOf(size_t client) { return std::string(recorders_[client].messages_.back().pin_id); }
  std::vector<uint64_t> Sequences(size_t client, size_t from = 0) {
    std::vector<uint64_t> sequences;
    for (size_t i = from; i < recorders_[client].messages_.size(); ++i) {
      sequences.push_back(recorders_[client].messages_[i].stream_sequence);
    }
    return sequences;
  }

  Recorder recorders_[2];
  std::unique_ptr<World> world_;  // goes first
  uint64_t pulls_ = 0;
};

TEST_P(PinHabitsTest, TheFirstPullThatGetsAMessageIsPinnedAndOthersWait) {
  ASSERT_TRUE(Start());
  Pull(0, 2);
  EXPECT_EQ(Info().pinned_client_id, "") << "not before there is a message";
  Publish(1);
  ASSERT_TRUE(AwaitMessages(0, 1));
  const std::string pin = PinOf(0);
  EXPECT_NE(pin, "");
  EXPECT_EQ(Info().pinned_client_id, pin);
  EXPECT_EQ(Info().delivered_consumer_sequence, 1u);
  Pull(1, 5, "", absl::Seconds(1));
  Publish(1);
  ASSERT_TRUE(AwaitMessages(0, 2));
  EXPECT_EQ(PinOf(0), pin);
  Publish(1);
  ASSERT_TRUE(AwaitStatuses(1, 1));
  EXPECT_EQ(recorders_[1].statuses_[0].kind, Kind::kExpired);
  EXPECT_THAT(recorders_[1].messages_, IsEmpty());
  Pull(0, 1, pin);
  ASSERT_TRUE(AwaitMessages(0, 3));
}

TEST_P(PinHabitsTest, AnUnpinPinsTheNextAndTheOldPinIsWrong) {
  ASSERT_TRUE(Start());
  Publish(1);
  Pull(0, 1);
  ASSERT_TRUE(AwaitMessages(0, 1));
  const std::string old = PinOf(0);
  world_->Do([](core::MessageSource& source) { source.Unpin(); });
  ASSERT_TRUE(Await(0, [&] { return recorders_[0].unpinned_.size() == 1; }));
  EXPECT_TRUE(recorders_[0].unpinned_[0].ok()) << recorders_[0].unpinned_[0];
  Publish(1);
  Pull(1, 1);
  ASSERT_TRUE(AwaitMessages(1, 1));
  EXPECT_NE(PinOf(1), old);
  Pull(0, 1, old);
  ASSERT_TRUE(AwaitStatuses(0, 1));
  EXPECT_EQ(recorders_[0].statuses_[0].kind, Kind::kWrongPin);
  world_->Do([&](core::MessageSource& source) { source.RenewPin(old, kRenewal); });
  ASSERT_TRUE(AwaitStatuses(0, 2));
  EXPECT_EQ(recorders_[0].statuses_[1].kind, Kind::kWrongPin);
  EXPECT_EQ(recorders_[0].statuses_[1].pull_id, kRenewal);
}

TEST_P(PinHabitsTest, APinThatIsNotRenewedTimesOut) {
  ASSERT_TRUE(Start(absl::Seconds(1)));
  Publish(2);
  Pull(0, 1);
  ASSERT_TRUE(AwaitMessages(0, 1));
  Pull(1, 1);
  ASSERT_TRUE(AwaitMessages(1, 1));
  EXPECT_NE(PinOf(1), PinOf(0));
}

// Though there are messages, it takes none.
TEST_P(PinHabitsTest, ARenewalTakesNothingAndKeepsThePin) {
  ASSERT_TRUE(Start(absl::Seconds(1)));
  Publish(1);
  Pull(0, 1);
  ASSERT_TRUE(AwaitMessages(0, 1));
  const std::string pin = PinOf(0);
  Publish(5);
  Pull(1, 1);
  for (uint64_t renewal = 1; renewal <= 8; ++renewal) {
    world_->Do([&](core::MessageSource& source) { source.RenewPin(pin, kRenewal + renewal); });
    ASSERT_TRUE(AwaitStatuses(0, renewal));
    EXPECT_EQ(recorders_[0].statuses_.back().kind, Kind::kExpired);
    EXPECT_EQ(recorders_[0].statuses_.back().pull_id, kRenewal + renewal);
    world_->Sleep(absl::Milliseconds(250));  // of the time-out, which is what this is about
  }
  EXPECT_EQ(recorders_[0].messages_.size(), 1u);
  EXPECT_THAT(recorders_[1].messages_, IsEmpty());
  EXPECT_EQ(Info().pinned_client_id, pin);
}

// Why a takeover has to sort. In which order they come is the server's secret; all of them come.
TEST_P(PinHabitsTest, NaksWhileOnlyOthersWaitMayComeBackInAnyOrder) {
  ASSERT_TRUE(Start());
  Publish(5);
  Pull(0, 5);
  ASSERT_TRUE(AwaitMessages(0, 5));
  Pull(1, 5);
  for (size_t i = 0; i < 4; ++i) Settle(0, i, Verdict::kNak);
  ASSERT_TRUE(Confirm(0, 4, Verdict::kAck));
  EXPECT_EQ(Info().num_ack_pending, 4u);
  EXPECT_THAT(recorders_[1].messages_, IsEmpty());
  world_->Do([](core::MessageSource& source) { source.Unpin(); });
  ASSERT_TRUE(AwaitMessages(1, 4));
  EXPECT_THAT(Sequences(1), UnorderedElementsAre(1, 2, 3, 4));
}

std::vector<std::string> PinWorlds() {
  std::vector<std::string> worlds = {kModel, kReplicatedModel};
  for (std::string& binary : NatsServerBinaries()) {
    const bool pins = jetstream::VersionAtLeast(NatsServerVersion(binary), 2, 11, 0);
    if (pins) worlds.push_back(std::move(binary));
  }
  return worlds;
}

INSTANTIATE_TEST_SUITE_P(All, PinHabitsTest, testing::ValuesIn(PinWorlds()), WorldName);

}  // namespace
}  // namespace sluice::test
