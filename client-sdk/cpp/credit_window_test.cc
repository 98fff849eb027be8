#include "client-sdk/cpp/credit_window.h"

#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

using std::chrono::milliseconds;

class CreditWindowTest : public ::testing::Test {
 protected:
  // `settled` more verdicts in the next 100 ms.
  std::optional<uint32_t> After(CreditWindow& window, uint64_t settled) {
    now_ += milliseconds(100);
    settled_ += settled;
    return window.Update(now_, settled_);
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
  EXPECT_EQ(After(window, 400), 1000u);
  EXPECT_EQ(After(window, 100'000), CreditWindow::kMost);
}

TEST_F(CreditWindowTest, FollowsSlowHandlersDownToItsLeast) {
  CreditWindow window(0, 4);
  After(window, 0);
  After(window, 10'000);
  EXPECT_EQ(After(window, 40), 100u);
  EXPECT_EQ(After(window, 1), 16u);
}

TEST_F(CreditWindowTest, DoesNotFlutter) {
  CreditWindow window(0, 1);
  After(window, 0);
  EXPECT_EQ(After(window, 400), 1000u);
  EXPECT_EQ(After(window, 700), std::nullopt);
  EXPECT_EQ(After(window, 250), std::nullopt);
}

TEST_F(CreditWindowTest, ARestIsNotTakenForSlowness) {
  CreditWindow window(0, 1);
  After(window, 0);
  After(window, 400);
  now_ += std::chrono::seconds(60);
  EXPECT_EQ(window.Update(now_, settled_ + 1), std::nullopt);
  EXPECT_EQ(window.messages(), 1000u);
}

}  // namespace
}  // namespace sluice::internal
