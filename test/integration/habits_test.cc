// What core relies on of JetStream, script by script: once against the model that the simulation runs on, once against
// each real server. So the model stays honest.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "jetstream/server_fixture.h"
#include "test/support/model_jetstream.h"
#include "test/support/model_source.h"
#include "test/support/sim_clock.h"

namespace sluice::test {
namespace {

using core::Verdict;
using jetstream::Recorder;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = core::PullStatus::Kind;

struct Settings {
  absl::Duration ack_wait = absl::Seconds(30);
  int64_t max_deliver = -1;
  int64_t max_ack_pending = 1000;
};

// One stream, one durable, one source that listens through a Recorder.
class World {
 public:
  virtual ~World() = default;
  virtual bool Start(const Settings& settings, Recorder* recorder) = 0;
  virtual void Publish(const std::string& data) = 0;
  // On the loop of the source.
  virtual void Do(const std::function<void(core::MessageSource&)>& action) = 0;
  // Lets time pass until it holds, of which the Recorder alone decides; false if it does not soon.
  virtual bool Await(const std::function<bool()>& condition) = 0;
  virtual void Sleep(absl::Duration duration) = 0;
  virtual absl::Time Now() = 0;
};

class ModelWorld final : public World {
 public:
  explicit ModelWorld(absl::Duration most_replication) { options_.most_replication = most_replication; }

  bool Start(const Settings& settings, Recorder* recorder) override {
    options_.consumer.ack_wait = settings.ack_wait;
    options_.consumer.max_deliver = settings.max_deliver;
    options_.consumer.max_ack_pending = settings.max_ack_pending;
    server_ = std::make_unique<ModelJetStream>(&loop_.timers(), options_, &witness_);
    source_ = std::make_unique<ModelSource>(server_.get(), &loop_.timers(), ModelSource::Options(), &witness_);
    source_->Start(recorder);
    return true;
  }
  void Publish(const std::string& data) override { server_->Publish("s.a", data); }
  void Do(const std::function<void(core::MessageSource&)>& action) override { action(*source_); }
  bool Await(const std::function<bool()>& condition) override {
    const absl::Time end = loop_.now() + jetstream::kPatience;
    while (!condition() && loop_.Step(end)) {
    }
    return condition();
  }
  void Sleep(absl::Duration duration) override { loop_.RunFor(duration); }
  absl::Time Now() override { return loop_.now(); }

 private:
  SimLoop loop_;
  ModelJetStream::Options options_;
  ModelJetStream::Witness witness_;
  std::unique_ptr<ModelJetStream> server_;
  std::unique_ptr<ModelSource> source_;
};

class RealWorld final : public World {
 public:
  explicit RealWorld(std::string binary) : binary_(std::move(binary)) {}
  ~RealWorld() override {
    loop_.Run([this] {
      source_.reset();
      connection_.reset();
    });
  }

  bool Start(const Settings& settings, Recorder* recorder) override {
    recorder_ = recorder;
    NatsServer::Options options;
    options.binary = binary_;
    auto server = NatsServer::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return false;
    server_ = *std::move(server);
    auto admin = JetStreamAdmin::Connect(server_->url());
    EXPECT_TRUE(admin.ok()) << admin.status();
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
    EXPECT_TRUE(admin_->CreateStream("S", {"s.>"}).ok());
    core::DurableConfig config;
    config.ack_wait = settings.ack_wait;
    config.max_deliver = settings.max_deliver;
    config.max_ack_pending = settings.max_ack_pending;
    loop_.Run([&] {
      jetstream::ConnectionOptions connection;
      connection.servers = {server_->url()};
      connection_ = *jetstream::Connection::Connect(connection, loop_.loop());
      source_ = std::make_unique<jetstream::JetStreamSource>(
          connection_.get(), loop_.loop(),
          jetstream::JetStreamSource::Options{"S", "worker", core::Manage::kEnsure, config});
      source_->Start(recorder);
    });
    return true;
  }
  void Publish(const std::string& data) override { EXPECT_TRUE(admin_->Publish("s.a", data).ok()); }
  void Do(const std::function<void(core::MessageSource&)>& action) override {
    loop_.Run([&] { action(*source_); });
  }
  bool Await(const std::function<bool()>& condition) override { return recorder_->Await(condition); }
  void Sleep(absl::Duration duration) override { absl::SleepFor(duration); }
  absl::Time Now() override { return absl::Now(); }

 private:
  const std::string binary_;
  Recorder* recorder_ = nullptr;
  std::unique_ptr<NatsServer> server_;
  std::unique_ptr<JetStreamAdmin> admin_;
  LoopThread loop_;
  std::unique_ptr<jetstream::Connection> connection_;
  std::unique_ptr<jetstream::JetStreamSource> source_;
};

constexpr char kModel[] = "model";
constexpr char kReplicatedModel[] = "replicated_model";

class HabitsTest : public testing::TestWithParam<std::string> {
 protected:
  bool Start(const Settings& settings = {}) {
    if (GetParam() == kModel) {
      world_ = std::make_unique<ModelWorld>(absl::ZeroDuration());
    } else if (GetParam() == kReplicatedModel) {
      world_ = std::make_unique<ModelWorld>(absl::Milliseconds(20));
    } else {
      world_ = std::make_unique<RealWorld>(GetParam());
    }
    if (!world_->Start(settings, &recorder_)) return false;
    if (!world_->Await([this] { return !recorder_.connections_.empty(); })) return false;
    world_->Do([](core::MessageSource& source) { source.Attach(); });
    return world_->Await([this] { return !recorder_.attached_.empty(); }) && recorder_.attached_[0].ok();
  }
  void TearDown() override { world_.reset(); }
  static bool IsVersion(const std::string& prefix) {
    const bool real = GetParam() != kModel && GetParam() != kReplicatedModel;
    return real && NatsServerVersion(GetParam()).starts_with(prefix + ".");
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

std::string WorldName(const testing::TestParamInfo<std::string>& info) {
  return info.param == kModel || info.param == kReplicatedModel ? info.param : jetstream::ParamName(info);
}

INSTANTIATE_TEST_SUITE_P(All, HabitsTest, testing::ValuesIn(Worlds()), WorldName);

}  // namespace
}  // namespace sluice::test
