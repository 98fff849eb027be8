#include "jetstream/server_url.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using testing::HasSubstr;

std::string Parsed(absl::string_view url) {
  const absl::StatusOr<ServerUrl> parsed = ParseServerUrl(url);
  return parsed.ok() ? parsed->ToString() : std::string(parsed.status().message());
}

TEST(ServerUrlTest, FillsInWhatIsLeftOut) {
  EXPECT_EQ(Parsed("nats://localhost"), "nats://localhost:4222");
  EXPECT_EQ(Parsed("localhost"), "nats://localhost:4222");
  EXPECT_EQ(Parsed("tls://n1.example:5222/"), "tls://n1.example:5222");
  EXPECT_EQ(Parsed("nats://[::1]:4333"), "nats://[::1]:4333");
  EXPECT_EQ(Parsed("nats://[::1]"), "nats://[::1]:4222");
}

TEST(ServerUrlTest, DropsCredentials) {
  EXPECT_EQ(Parsed("nats://user:se@cret@host:4222"), "nats://host:4222");
  EXPECT_EQ(Parsed("nats://token@host"), "nats://host:4222");
}

TEST(ServerUrlTest, SaysWhatIsWrongWithoutThePassword) {
  EXPECT_THAT(Parsed("http://host"), HasSubstr("scheme \"http\""));
  EXPECT_THAT(Parsed("nats://"), HasSubstr("no host"));
  EXPECT_THAT(Parsed(""), HasSubstr("no host"));
  EXPECT_THAT(Parsed("nats://u:secret@host:nope"), HasSubstr("port \"nope\""));
  EXPECT_THAT(Parsed("nats://u:secret@host:70000"), testing::Not(HasSubstr("secret")));
  EXPECT_THAT(Parsed("nats://[::1"), HasSubstr("bracket"));
  EXPECT_THAT(Parsed("nats://[::1]x"), HasSubstr("follows"));
}

}  // namespace
}  // namespace sluice::jetstream
