#include "token/hmac.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace sluice::token {
namespace {

std::string HexOf(const Hmac::Digest& digest) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// RFC 4231, test cases 1 to 4.
TEST(HmacTest, IsThatOfTheRfc) {
  EXPECT_EQ(HexOf(Hmac(std::string(20, '\x0b')).Of("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HexOf(Hmac("Jefe").Of("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HexOf(Hmac(std::string(20, '\xaa')).Of(std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(HexOf(Hmac(absl::HexStringToBytes("0102030405060708090a0b0c0d0e0f10111213141516171819"))
                      .Of(std::string(50, '\xcd'))),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

TEST(HmacTest, KeepsNothingOfTheLastText) {
  const Hmac hmac("key");
  const Hmac::Digest digest = hmac.Of("one");
  hmac.Of("another");
  EXPECT_EQ(hmac.Of("one"), digest);
}

}  // namespace
}  // namespace sluice::token
