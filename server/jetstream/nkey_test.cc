#include "jetstream/nkey.h"

#include <string>

#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

// A pair from the documentation of nats-server's NKey authentication.
constexpr char kSeed[] = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
constexpr char kPublic[] = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

TEST(NKeyTest, DerivesThePublicKey) {
  const absl::StatusOr<std::string> key = PublicNKey(kSeed);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(*key, kPublic);
}

TEST(NKeyTest, RefusesWhatIsNoSeed) {
  std::string damaged = kSeed;
  damaged[30] = damaged[30] == 'A' ? 'B' : 'A';
  for (const std::string& text : {std::string(), std::string("S"), std::string(kPublic), damaged, std::string(58, '!'),
                                  std::string(kSeed) + "A"}) {
    const absl::StatusOr<std::string> key = PublicNKey(text);
    ASSERT_FALSE(key.ok()) << text;
    EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sluice::jetstream
