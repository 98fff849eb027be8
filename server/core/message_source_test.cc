#include "core/message_source.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(ConsumerInfoTest, TheAckWaitOfAnAttemptFollowsBackOff) {
  ConsumerInfo info;
  info.ack_wait = absl::Seconds(30);
  EXPECT_EQ(info.AckWait(5), absl::Seconds(30));
  info.backoff = {absl::Seconds(1), absl::Seconds(5)};
  EXPECT_EQ(info.AckWait(1), absl::Seconds(1));
  EXPECT_EQ(info.AckWait(2), absl::Seconds(5));
  EXPECT_EQ(info.AckWait(9), absl::Seconds(5));
  EXPECT_EQ(info.AckWait(0), absl::Seconds(1));
}

}  // namespace
}  // namespace sluice::core
