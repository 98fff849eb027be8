#include "sluice/verdict.h"

#include <gtest/gtest.h>

#include "client-sdk/cpp/utf8.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(VerdictTest, DelaysStayWithinTheContract) {
  EXPECT_EQ(Nak().delay(), milliseconds(0));
  EXPECT_EQ(Nak(milliseconds(-1)).delay(), milliseconds(0));
  EXPECT_EQ(Nak(hours(23)).delay(), hours(23));
  EXPECT_EQ(Nak(hours(25)).delay(), hours(24));
}

TEST(VerdictTest, ReasonsStayWithinTheContract) {
  EXPECT_EQ(Term("a\r\nb").reason(), "a  b");
  EXPECT_EQ(Term("no \xFFgood").reason(), "no ?good");
  EXPECT_EQ(Term(std::string(2000, 'x')).reason().size(), 1024u);
}

TEST(Utf8Test, KeepsWhatIsValid) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";  // one character of each length
  EXPECT_EQ(internal::ToUtf8(text, 100), text);
}

TEST(Utf8Test, ReplacesWhatIsNot) {
  EXPECT_EQ(internal::ToUtf8("\xC0\x80", 9), "??");            // overlong
  EXPECT_EQ(internal::ToUtf8("\xED\xA0\x80", 9), "???");       // a surrogate
  EXPECT_EQ(internal::ToUtf8("\xF4\x90\x80\x80", 9), "????");  // beyond U+10FFFF
  EXPECT_EQ(internal::ToUtf8("x\xE2\x82", 9), "x??");          // cut off
}

TEST(Utf8Test, NeverCutsACharacter) {
  EXPECT_EQ(internal::ToUtf8("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(internal::ToUtf8("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
}

}  // namespace
}  // namespace sluice
