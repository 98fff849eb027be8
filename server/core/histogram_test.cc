#include "core/histogram.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(Histogram, CountsByTheLeastBoundThatIsNotExceeded) {
  Histogram histogram;
  histogram.Observe(absl::ZeroDuration());
  histogram.Observe(absl::Milliseconds(5));
  histogram.Observe(absl::Milliseconds(5) + absl::Nanoseconds(1));
  histogram.Observe(absl::Seconds(10));
  histogram.Observe(absl::Seconds(11));
  EXPECT_EQ(histogram.count(0), 2u);
  EXPECT_EQ(histogram.count(1), 1u);
  EXPECT_EQ(histogram.count(Histogram::kBounds.size() - 1), 1u);
  EXPECT_EQ(histogram.count(Histogram::kBounds.size()), 1u) << "beyond all bounds";
  EXPECT_EQ(histogram.sum(), absl::Seconds(21) + absl::Milliseconds(10) + absl::Nanoseconds(1));
}

}  // namespace
}  // namespace sluice::core
