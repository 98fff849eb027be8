#include "client-sdk/cpp/credit_window.h"

#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

using std::chrono::milliseconds;

class CreditWindowTest : public ::testing::Test {
 protected:
  // `settled` more verdicts in the next 100 ms; then messages come, of which `held` are here still.
  std::optional<uint32_t> After(CreditWindow& window, uint64_t settled, uint64_t held = 0) {
    now_ += milliseconds(100);
    settled_ += settled;
    return window.Update(now_, settled_, held);
  }

  // So many in each 100 ms, and nothing to do in between, until the credit is what that is worth.
  void Grow(CreditWindow& window, uint64_t settled) {
    After(window, 0);
    while (After(window, settled)) continue;
  }

  CreditWindow::Time now_ = std::chrono::steady_clock::now();
  uint64_t settled_ = 0;
};

TEST_F(CreditWindowTest, BeginsWithEnoughToKeepTheHandlersBusy) {
  EXPECT_EQ(CreditWindow(0, 1).messages(), 8u);
  EXPECT_EQ(CreditWindow(0, 100).messages(), 400u);
}

TEST_F(CreditWindowTest, TheAppsChoiceStays) {
  CreditWindow window(100, 8);
  After(window, 0);
  EXPECT_EQ(After(window, 100'000), std::nullopt);
  EXPECT_EQ(window.messages(), 100u);
  EXPECT_EQ(window.most(), 100u);
}

TEST_F(CreditWindowTest, FollowsQuickHandlersUpToItsMost) {
  CreditWindow window(0, 1);
  After(window, 0);
  EXPECT_EQ(After(window, 400), 32u) << "fourfold, and no more at once";
  EXPECT_EQ(After(window, 400), 128u);
  EXPECT_EQ(After(window, 400), 512u);
  EXPECT_EQ(After(window, 600), 1500u);
  EXPECT_EQ(After(window, 100'000), CreditWindow::kMost);
}

TEST_F(CreditWindowTest, FollowsSlowHandlersDownToItsLeast) {
  CreditWindow window(0, 4);
  Grow(window, 10'000);
  EXPECT_EQ(After(window, 40), 100u);
  EXPECT_EQ(After(window, 1), 16u);
}

TEST_F(CreditWindowTest, DoesNotFlutter) {
  CreditWindow window(0, 1);
  Grow(window, 400);
  EXPECT_EQ(window.messages(), 512u);
  EXPECT_EQ(After(window, 320), std::nullopt);
  EXPECT_EQ(After(window, 120), std::nullopt);
}

TEST_F(CreditWindowTest, GivesUpWhatNoHandlerWaitsFor) {
  CreditWindow window(0, 1);
  Grow(window, 4000);
  EXPECT_EQ(window.messages(), 4096u);
  EXPECT_EQ(After(window, 4000, 2249), 1600u) << "2,248 are more by 1,248 than 25 ms take, and that was half of it";
  EXPECT_EQ(After(window, 4000, 1001), std::nullopt);
  EXPECT_EQ(After(window, 4000, 20), std::nullopt) << "it was just in time";
}

TEST_F(CreditWindowTest, OneTimeWithoutAnythingToDoIsEnoughToGrow) {
  CreditWindow window(0, 2);
  After(window, 0);
  EXPECT_EQ(After(window, 400, 3), std::nullopt);
  now_ += milliseconds(20);
  EXPECT_EQ(window.Update(now_, settled_, 1), std::nullopt) << "too early, but one of two had nothing";
  now_ -= milliseconds(20);
  EXPECT_EQ(After(window, 400, 3), 32u);
}

TEST_F(CreditWindowTest, TheFirstMessagesDoNotMakeItGrow) {
  CreditWindow window(0, 1);
  After(window, 0, 0);
  EXPECT_EQ(After(window, 400, 4), std::nullopt);
  EXPECT_EQ(window.messages(), 8u);
}

TEST_F(CreditWindowTest, HoldsNoMoreThanIsFinishedInAQuarterOfASecond) {
  CreditWindow window(0, 1);
  Grow(window, 100'000);
  EXPECT_EQ(After(window, 400, 2), 1000u) << "its handlers have become slower";
}

TEST_F(CreditWindowTest, ARestIsNotTakenForSlowness) {
  CreditWindow window(0, 1);
  Grow(window, 400);
  now_ += std::chrono::seconds(60);
  EXPECT_EQ(window.Update(now_, settled_ + 1, 0), std::nullopt);
  EXPECT_EQ(window.messages(), 512u);
}

}  // namespace
}  // namespace sluice::internal
