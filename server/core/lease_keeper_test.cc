#include "core/lease_keeper.h"

#include <deque>
#include <vector>

#include <gtest/gtest.h>

#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

constexpr absl::Duration kAckWait = absl::Seconds(10);
constexpr absl::Duration kLeaseMax = absl::Minutes(1);

class LeaseKeeperTest : public testing::Test, public LeaseKeeper::Owner {
 protected:
  bool ExtendLease(const Delivery& delivery) override {
    if (connected_) extended_.push_back(delivery.id);
    return connected_;
  }
  void OnLeasesEnded(absl::Span<Delivery* const> deliveries) override {
    for (Delivery* delivery : deliveries) ended_.push_back(delivery->id);
  }

  Delivery* Add(uint64_t id, absl::Duration ack_wait = kAckWait) {
    Delivery& delivery = deliveries_.emplace_back();
    delivery.id = id;
    delivery.ack_wait = ack_wait;
    keeper_.Add(&delivery, loop_.now());
    return &delivery;
  }

  // Sent so long ago, at least.
  void AddSent(uint64_t id, absl::Duration before) {
    Delivery& delivery = deliveries_.emplace_back();
    delivery.id = id;
    delivery.ack_wait = kAckWait;
    keeper_.Add(&delivery, loop_.now() - before);
  }

  test::SimLoop loop_;
  bool connected_ = true;
  std::vector<uint64_t> extended_;
  std::vector<uint64_t> ended_;
  std::deque<Delivery> deliveries_;
  LeaseKeeper keeper_{&loop_.timers(), this, kLeaseMax};
};

TEST_F(LeaseKeeperTest, ExtendsAtHalfOfTheAckWaitAndNoSooner) {
  Add(1);
  loop_.RunFor(kAckWait * 0.45);
  EXPECT_TRUE(extended_.empty());
  loop_.RunFor(kAckWait * 0.1);
  EXPECT_EQ(extended_, (std::vector<uint64_t>{1}));
}

TEST_F(LeaseKeeperTest, KeepsALeaseUpToItsMaximumThenLetsItEnd) {
  Add(1);
  loop_.RunFor(kLeaseMax);
  EXPECT_TRUE(ended_.empty());
  loop_.RunFor(kAckWait);
  EXPECT_EQ(ended_, (std::vector<uint64_t>{1}));
  const size_t extensions = extended_.size();
  loop_.RunFor(kLeaseMax);
  EXPECT_EQ(extended_.size(), extensions);
  EXPECT_EQ(ended_.size(), 1u);
}

TEST_F(LeaseKeeperTest, TheDeadlineIsNeverLaterThanTheServers) {
  const absl::Time received = loop_.now();
  Delivery* delivery = Add(1);
  EXPECT_LT(delivery->ack_deadline, received + kAckWait);
}

// Mutation: Add() that counts from now.
TEST_F(LeaseKeeperTest, WhatMayHaveLainInTheSocketIsExtendedSooner) {
  AddSent(1, kAckWait * 0.8);
  AddSent(2, kAckWait * 0.4);
  AddSent(3, kAckWait * 0.1);
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_EQ(extended_, (std::vector<uint64_t>{1}));
  loop_.RunFor(kAckWait * 0.2);
  EXPECT_EQ(extended_, (std::vector<uint64_t>{1, 2}));
  loop_.RunFor(kAckWait * 0.25);
  EXPECT_EQ(extended_, (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(LeaseKeeperTest, WhatMayHaveLainInTheSocketForItsAckWaitIsOver) {
  AddSent(1, kAckWait * 1.1);
  AddSent(2, kAckWait * 0.8);
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_EQ(ended_, (std::vector<uint64_t>{1}));
  EXPECT_EQ(extended_, (std::vector<uint64_t>{2}));
}

TEST_F(LeaseKeeperTest, EachAttemptIsExtendedByItsOwnAckWait) {
  Add(1, absl::Seconds(10));
  Add(2, absl::Seconds(2));
  loop_.RunFor(absl::Seconds(1.5));
  EXPECT_EQ(extended_, (std::vector<uint64_t>{2}));
}

TEST_F(LeaseKeeperTest, ARemovedDeliveryIsLeftAlone) {
  Delivery* delivery = Add(1);
  Add(2);
  keeper_.Remove(delivery);
  loop_.RunFor(kAckWait);
  for (uint64_t id : extended_) EXPECT_EQ(id, 2u);
  EXPECT_FALSE(extended_.empty());
}

TEST_F(LeaseKeeperTest, AWordFromTheAppStartsTheLeaseAnew) {
  Delivery* delivery = Add(1);
  loop_.RunFor(kLeaseMax - absl::Seconds(1));
  keeper_.Restart(delivery);
  loop_.RunFor(kLeaseMax - absl::Seconds(1));
  EXPECT_TRUE(ended_.empty());
  loop_.RunFor(kAckWait * 2);
  EXPECT_EQ(ended_, (std::vector<uint64_t>{1}));
}

TEST_F(LeaseKeeperTest, AnAppThatSaysItAllTheTimeCostsTheServerLittle) {
  Delivery* delivery = Add(1);
  for (int i = 0; i < 1000; ++i) {
    loop_.RunFor(absl::Milliseconds(10));
    keeper_.Restart(delivery);
  }
  EXPECT_LE(extended_.size(), 5u);
}

TEST_F(LeaseKeeperTest, WithoutAConnectionALeaseEndsAtItsDeadline) {
  connected_ = false;
  Add(1);
  loop_.RunFor(kAckWait);
  EXPECT_TRUE(extended_.empty());
  EXPECT_EQ(ended_, (std::vector<uint64_t>{1}));
}

TEST_F(LeaseKeeperTest, AReconnectInTimeSavesIt) {
  connected_ = false;
  Add(1);
  loop_.RunFor(kAckWait * 0.8);
  connected_ = true;
  keeper_.ExtendAll();
  EXPECT_EQ(extended_, (std::vector<uint64_t>{1}));
  loop_.RunFor(kAckWait * 0.8);
  EXPECT_TRUE(ended_.empty());
}

TEST_F(LeaseKeeperTest, AHundredThousandAreServedByOneTimer) {
  for (uint64_t id = 1; id <= 100'000; ++id) Add(id);
  const absl::Time first = loop_.timers().NextDue();
  loop_.RunFor(kAckWait * 0.55);
  EXPECT_EQ(extended_.size(), 100'000u);
  EXPECT_GT(loop_.timers().NextDue(), first);
}

}  // namespace
}  // namespace sluice::core
