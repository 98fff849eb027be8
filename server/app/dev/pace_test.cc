#include "app/dev/pace.h"

#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(PaceTest, KeepsTheRateAtAnyTick) {
  for (const int64_t tick_us : {700, 2'000, 9'999, 60'000}) {
    for (const uint64_t rate : {uint64_t{1}, uint64_t{30}, uint64_t{2'000}, uint64_t{40'000}}) {
      Pace pace(rate, kStart);
      uint64_t published = 0;
      absl::Time now = kStart;
      while (now < kStart + absl::Seconds(10)) {
        now += absl::Microseconds(tick_us);
        published += pace.Due(now, published, 0, 0);
      }
      const double expected = static_cast<double>(rate) * absl::ToDoubleSeconds(now - kStart);
      const double last_tick = static_cast<double>(rate * static_cast<uint64_t>(tick_us)) / 1e6;
      EXPECT_NEAR(static_cast<double>(published), expected, 1 + last_tick) << rate << "/s, every " << tick_us << " us";
    }
  }
}

TEST(PaceTest, DoesNotMakeUpForALongPause) {
  Pace pace(1'000, kStart);
  EXPECT_EQ(pace.Due(kStart + absl::Seconds(60), 0, 0, 0), 100u);
  EXPECT_EQ(pace.Due(kStart + absl::Seconds(60), 100, 0, 0), 0u);
}

TEST(PaceTest, WaitsForPubAcks) {
  Pace pace(1'000'000, kStart);
  EXPECT_EQ(pace.Due(kStart + absl::Milliseconds(50), 0, 0, 0), Pace::kMostUnconfirmed);
  EXPECT_EQ(pace.Due(kStart + absl::Milliseconds(51), 4096, Pace::kMostUnconfirmed, 0), 0u);
  EXPECT_EQ(pace.Due(kStart + absl::Milliseconds(52), 4096, Pace::kMostUnconfirmed - 10, 0), 10u);
}

TEST(PaceTest, WithoutARateTheAppsAcksLead) {
  Pace pace(0, kStart);
  EXPECT_EQ(pace.Due(kStart, 0, 0, 0), Pace::kMostUnconfirmed);
  EXPECT_EQ(pace.Due(kStart, Pace::kMostAhead, 0, 0), 0u);
  EXPECT_EQ(pace.Due(kStart, Pace::kMostAhead, 0, 7), 7u);
  EXPECT_EQ(pace.Due(kStart, 100, 0, 200), Pace::kMostUnconfirmed);  // the counts are not of the same moment
}

}  // namespace
}  // namespace sluice::dev
