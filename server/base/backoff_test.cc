#include "base/backoff.h"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(BackoffTest, DoublesUpToTheMostWithJitterBelow) {
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(350), 7);
  for (int nominal : {100, 200, 350, 350, 350}) {
    const absl::Duration wait = backoff.Next();
    EXPECT_LE(wait, absl::Milliseconds(nominal));
    EXPECT_GE(wait, absl::Milliseconds(nominal) * 0.75);
  }
}

TEST(BackoffTest, StartsAgainAfterReset) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(60), 7);
  for (int i = 0; i < 5; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Seconds(1));
}

TEST(BackoffTest, TheSameSeedGivesTheSameWaits) {
  Backoff a(absl::Seconds(1), absl::Seconds(60), 42);
  Backoff b(absl::Seconds(1), absl::Seconds(60), 42);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.Next(), b.Next());
}

}  // namespace
}  // namespace sluice::base
