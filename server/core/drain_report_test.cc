#include "core/drain_report.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(DrainReportTest, AddsCountsAndKeepsTheLongestOfEachPhase) {
  DrainReport total;
  DrainReport one;
  one.awaited = 3;
  one.acked = 2;
  one.naked = 1;
  one.phases[static_cast<int>(DrainPhase::kSettling)] = absl::Seconds(2);
  DrainReport other;
  other.awaited = 1;
  other.acked = 1;
  other.deadline_exceeded = true;
  other.phases[static_cast<int>(DrainPhase::kSettling)] = absl::Seconds(1);
  other.phases[static_cast<int>(DrainPhase::kFencing)] = absl::Seconds(1);
  total.Add(one);
  total.Add(other);
  EXPECT_EQ(total.awaited, 4u);
  EXPECT_EQ(total.acked, 3u);
  EXPECT_EQ(total.naked, 1u);
  EXPECT_TRUE(total.deadline_exceeded);
  EXPECT_EQ(total.total(), absl::Seconds(3));
}

TEST(DrainReportTest, ReadsAsOneLine) {
  DrainReport report;
  report.awaited = 12;
  report.acked = 12;
  report.phases[static_cast<int>(DrainPhase::kFencing)] = absl::Milliseconds(8);
  EXPECT_EQ(report.ToString(),
            "awaited=12 acked=12 terminated=0 naked=0 expired=0 late=0 released=0 unsettled=0 dead_lettered=0 "
            "deadline_exceeded=no took=8ms");
}

}  // namespace
}  // namespace sluice::core
