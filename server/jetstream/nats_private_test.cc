#include "jetstream/nats_private.h"

#include <gtest/gtest.h>

namespace sluice::jetstream {
namespace {

// All works without them, at half the rate: a cnats that has dropped one should not go unnoticed.
TEST(NatsPrivateTest, ThisCnatsHasThem) {
  EXPECT_NE(&natsMsg_free, nullptr);
  EXPECT_NE(&natsConn_lockAndRetain, nullptr);
  EXPECT_NE(&natsConn_bufferFlush, nullptr);
  EXPECT_NE(&natsConn_unlockAndRelease, nullptr);
  EXPECT_NE(&natsConn_bufferWrite, nullptr);
  EXPECT_NE(&natsConn_setFilterWithClosure, nullptr);
}

}  // namespace
}  // namespace sluice::jetstream
