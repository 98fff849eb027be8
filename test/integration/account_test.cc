// Whether the account would tell.
#include "test/integration/account.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::integration {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr absl::Duration kAckWait = absl::Seconds(10);
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

// Number `number`, stored at the start and handled `after` that.
Handled Line(uint64_t number, absl::Duration after, uint64_t num_delivered = 1) {
  return {1, number, number, num_delivered, absl::ToUnixMicros(kStart), absl::ToUnixMicros(kStart + after)};
}

TEST(Account, Clean) {
  const Account account = Balance(2, {Line(2, absl::Seconds(1)), Line(1, absl::Seconds(60))}, kAckWait);
  EXPECT_THAT(account.lost, IsEmpty());
  EXPECT_THAT(account.twice, IsEmpty());
  EXPECT_THAT(account.late, IsEmpty());
}

TEST(Account, Lost) {
  EXPECT_THAT(Balance(3, {Line(2, absl::Seconds(1))}, kAckWait).lost, ElementsAre(1, 3));
  EXPECT_FALSE(AllHandled(3, {Line(2, absl::Seconds(1)), Line(2, absl::Seconds(1)), Line(1, absl::Seconds(1))}));
}

TEST(Account, Twice) {
  const std::vector<Handled> lines = {Line(1, absl::Seconds(1)), Line(1, absl::Seconds(2), 2)};
  EXPECT_THAT(Balance(1, lines, kAckWait).twice, ElementsAre(1));
  EXPECT_TRUE(AllHandled(1, lines));
}

TEST(Account, NobodyPublishedIt) {
  EXPECT_THAT(Balance(1, {Line(2, absl::Seconds(1))}, kAckWait).twice, ElementsAre(2));
}

TEST(Account, AnExcuseIsForWorkShortlyBefore) {
  const std::vector<Handled> lines = {Line(1, absl::Seconds(5)), Line(1, absl::Seconds(8), 2)};
  const auto excused = [&](absl::Duration at) {
    return Balance(1, lines, kAckWait, {{Why::kKilled, kStart + at}}).twice.empty();
  };
  EXPECT_TRUE(excused(absl::Seconds(6)));
  EXPECT_FALSE(excused(absl::Seconds(4))) << "it was done after that";
  EXPECT_FALSE(excused(absl::Seconds(9))) << "it was done again before that";
  EXPECT_FALSE(Balance(1, {Line(1, absl::Seconds(1)), Line(1, absl::Seconds(20), 2)}, kAckWait,
                       {{Why::kKilled, kStart + absl::Seconds(15)}})
                   .twice.empty())
      << "its ack has long arrived";
  EXPECT_THAT(Balance(1, lines, kAckWait, {{Why::kServerLostAck, kStart + absl::Seconds(6)}}).excused,
              ElementsAre(Pair(Why::kServerLostAck, 1)));
}

TEST(Account, AnExcuseMayLast) {
  const std::vector<Handled> lines = {Line(1, absl::Seconds(5)), Line(1, absl::Seconds(8), 2)};
  const Excuse excuse = {Why::kKilled, kStart + absl::Seconds(4), kStart + absl::Seconds(6)};
  EXPECT_TRUE(Balance(1, lines, kAckWait, {excuse}).twice.empty());
}

TEST(Account, AnAbsenceOfAllDaemonsIsNoWaitForTheAckWait) {
  const std::vector<Handled> lines = {Line(1, absl::Seconds(15), 2)};
  const auto absent = [](int begin, int end) {
    return Absence{kStart + absl::Seconds(begin), kStart + absl::Seconds(end)};
  };
  EXPECT_THAT(Balance(1, lines, kAckWait, {}, {absent(-5, 3), absent(5, 12)}).late, IsEmpty());
  EXPECT_THAT(Balance(1, lines, kAckWait, {}, {absent(-5, 3), absent(16, 60)}).late, ElementsAre(1));
  EXPECT_THAT(Balance(1, lines, kAckWait, {}, std::vector<Absence>(10, absent(2, 3))).late, ElementsAre(1));
}

TEST(Account, LateIsWhatWasDeliveredAgainAfterTheAckWait) {
  EXPECT_THAT(Balance(1, {Line(1, kAckWait, 2)}, kAckWait).late, ElementsAre(1));
  EXPECT_THAT(Balance(1, {Line(1, kAckWait / 2, 2)}, kAckWait).late, IsEmpty());
  EXPECT_THAT(Balance(1, {Line(1, 2 * kAckWait, 1)}, kAckWait).late, IsEmpty()) << "a backlog";
}

TEST(Account, WhatWaitedInABacklogBeforeItsFirstAttemptIsNotLate) {
  const Handled before = Line(1, 5 * kAckWait);
  EXPECT_THAT(Balance(2, {before, Line(2, 5 * kAckWait + absl::Seconds(1), 2)}, kAckWait).late, IsEmpty());
  EXPECT_THAT(Balance(2, {before, Line(2, 6 * kAckWait, 2)}, kAckWait).late, ElementsAre(2));
}

}  // namespace
}  // namespace sluice::integration
