#include "app/dev/number_set.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

using Inserted = NumberSet::Inserted;

TEST(NumberSetTest, TellsTheFirstTimeFromTheSecond) {
  NumberSet set;
  EXPECT_EQ(set.Insert(3), Inserted::kNew);
  EXPECT_EQ(set.Insert(1), Inserted::kNew);
  EXPECT_EQ(set.Insert(3), Inserted::kKnown);
  EXPECT_EQ(set.Insert(2), Inserted::kNew);
  EXPECT_EQ(set.size(), 3u);
}

TEST(NumberSetTest, RemembersWhatItHasForgottenTheBitsOf) {
  NumberSet set;
  for (uint64_t n = 1; n <= 1000; ++n) ASSERT_EQ(set.Insert(n), Inserted::kNew);
  EXPECT_LE(set.words(), 1u);
  for (uint64_t n = 1; n <= 1000; ++n) ASSERT_EQ(set.Insert(n), Inserted::kKnown);
  EXPECT_EQ(set.size(), 1000u);
}

TEST(NumberSetTest, AnyOrderWillDo) {
  std::vector<uint64_t> numbers(10'000);
  std::iota(numbers.begin(), numbers.end(), 1);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(7));
  NumberSet set;
  for (const uint64_t n : numbers) ASSERT_EQ(set.Insert(n), Inserted::kNew);
  for (const uint64_t n : numbers) ASSERT_EQ(set.Insert(n), Inserted::kKnown);
  EXPECT_LE(set.words(), 1u);
}

TEST(NumberSetTest, RefusesWhatIsTooFarAhead) {
  NumberSet set;
  EXPECT_EQ(set.Insert(NumberSet::kMostAhead + 1), Inserted::kTooFar);
  EXPECT_EQ(set.words(), 0u);
  EXPECT_EQ(set.Insert(NumberSet::kMostAhead), Inserted::kNew);
}

}  // namespace
}  // namespace sluice::dev
