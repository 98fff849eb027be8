#include "core/app_stream.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(ConsumerStateTest, EveryStateHasItsName) {
  EXPECT_EQ(ConsumerStateName(ConsumerState::kServing), "SERVING");
  EXPECT_EQ(ConsumerStateName(ConsumerState::kNatsDown), "NATS_DOWN");
  EXPECT_EQ(ConsumerStateName(ConsumerState::kConsumerMissing), "CONSUMER_MISSING");
  EXPECT_EQ(ConsumerStateName(ConsumerState::kConsumerInvalid), "CONSUMER_INVALID");
  EXPECT_EQ(ConsumerStateName(ConsumerState::kPaused), "PAUSED");
}

}  // namespace
}  // namespace sluice::core
