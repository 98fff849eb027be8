#include "jetstream/server_version.h"

#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

TEST(ServerVersionTest, IsCompared) {
  EXPECT_TRUE(VersionAtLeast("2.10.4", 2, 10, 4));
  EXPECT_TRUE(VersionAtLeast("2.10.27", 2, 10, 4));
  EXPECT_TRUE(VersionAtLeast("2.11.0-RC.1", 2, 10, 4));
  EXPECT_TRUE(VersionAtLeast("v3.0.0+build", 2, 10, 4));
  EXPECT_FALSE(VersionAtLeast("2.10.3", 2, 10, 4));
  EXPECT_FALSE(VersionAtLeast("2.9.25", 2, 10, 4));
  EXPECT_FALSE(VersionAtLeast("2.10", 2, 10, 4));
  EXPECT_FALSE(VersionAtLeast("", 2, 10, 4));
  EXPECT_FALSE(VersionAtLeast("newest", 2, 10, 4));
}

TEST(ServerVersionTest, NobodyListeningIsAnError) {
  // Port 1 of the loopback: nothing serves it.
  EXPECT_FALSE(ReadServerVersion("127.0.0.1", "1", absl::Seconds(1)).ok());
}

}  // namespace
}  // namespace sluice::jetstream
