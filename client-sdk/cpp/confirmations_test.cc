#include "client-sdk/cpp/confirmations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class ConfirmationsTest : public ::testing::Test {
 protected:
  void Expect(uint64_t id, uint64_t sequence) { confirmations_.Expect(id, {sequence, {}}, due_); }
  // What has become due since the last call: stream sequence and outcome.
  std::vector<std::pair<uint64_t, Outcome>> Due() {
    std::vector<std::pair<uint64_t, Outcome>> due;
    for (const auto& one : std::exchange(due_, {})) due.emplace_back(one.waiter.stream_sequence, one.outcome);
    return due;
  }

  Confirmations confirmations_;
  Confirmations::Dues due_;
};

TEST_F(ConfirmationsTest, EachVerdictIsAnsweredOnce) {
  Expect(1, 10);
  Expect(2, 20);
  confirmations_.OnResult(2, Outcome::kLate, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(20, Outcome::kLate)));
  confirmations_.OnResult(2, Outcome::kConfirmed, due_);
  confirmations_.OnResult(7, Outcome::kNotHeld, due_);
  EXPECT_THAT(Due(), IsEmpty()) << "nobody waits for these";
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(10, Outcome::kConfirmed)));
}

TEST_F(ConfirmationsTest, TheAnswerToAnInProgressIsNotTheVerdicts) {
  confirmations_.ExpectProgress(1);
  confirmations_.ExpectProgress(1);
  Expect(1, 10);
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  EXPECT_THAT(Due(), IsEmpty());
  confirmations_.OnResult(1, Outcome::kFailed, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(10, Outcome::kFailed)));
}

TEST_F(ConfirmationsTest, AnAnsweredInProgressLeavesNothingBehind) {
  confirmations_.ExpectProgress(1);
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  Expect(1, 10);
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(10, Outcome::kConfirmed)));
}

TEST_F(ConfirmationsTest, WhatANewStreamResumesIsAnsweredThereTheRestHasFailed) {
  Expect(1, 10);
  Expect(2, 20);
  confirmations_.ExpectProgress(2);  // answered by the old stream, or never
  confirmations_.ExpectProgress(3);  // no verdict yet
  confirmations_.OnOpened({{2, 1}, {3, 3}}, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(10, Outcome::kFailed)));
  confirmations_.OnResult(1, Outcome::kConfirmed, due_);
  EXPECT_THAT(Due(), ElementsAre(Pair(20, Outcome::kConfirmed)));
}

TEST_F(ConfirmationsTest, NothingWaitsForEver) {
  Expect(1, 10);
  Expect(2, 20);
  confirmations_.Close(due_);
  EXPECT_THAT(Due(), UnorderedElementsAre(Pair(10, Outcome::kFailed), Pair(20, Outcome::kFailed)));
  Expect(3, 30);
  EXPECT_THAT(Due(), ElementsAre(Pair(30, Outcome::kFailed)));
}

}  // namespace
}  // namespace sluice::internal
