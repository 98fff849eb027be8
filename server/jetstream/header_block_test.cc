#include "jetstream/header_block.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::core {
bool operator==(const Header& a, const Header& b) { return a.name == b.name && a.value == b.value; }
void PrintTo(const Header& header, std::ostream* out) { *out << header.name << "=" << header.value; }
}  // namespace sluice::core

namespace sluice::jetstream {
namespace {

using core::Header;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(HeaderBlockTest, KeepsOrderDuplicatesAndCase) {
  EXPECT_THAT(ParseHeaders("NATS/1.0\r\nB: 1\r\na: 2\r\nB: 3\r\nb: 4\r\n\r\n"),
              ElementsAre(Header{"B", "1"}, Header{"a", "2"}, Header{"B", "3"}, Header{"b", "4"}));
}

TEST(HeaderBlockTest, KeepsEveryByteOfAValue) {
  std::string odd;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte != '\r' && byte != '\n') odd += static_cast<char>(byte);
  }
  odd += '\0';
  odd += "end  ";
  const std::string block = absl::StrCat("NATS/1.0\r\nOdd:", odd, "\r\n\r\n");
  EXPECT_THAT(ParseHeaders(block), ElementsAre(Header{"Odd", odd}));
}

TEST(HeaderBlockTest, SplitsAtTheFirstColonAndDropsBlanksAfterIt) {
  EXPECT_THAT(ParseHeaders("NATS/1.0\r\na::b:c\r\nk: \t v \r\nempty:\r\n: no name\r\n\r\n"),
              ElementsAre(Header{"a", ":b:c"}, Header{"k", "v "}, Header{"empty", ""}, Header{"", "no name"}));
}

TEST(HeaderBlockTest, LeavesOutWhatIsNoHeader) {
  EXPECT_THAT(ParseHeaders(""), IsEmpty());
  EXPECT_THAT(ParseHeaders("NATS/1.0"), IsEmpty());
  EXPECT_THAT(ParseHeaders("NATS/1.0\r\n\r\n"), IsEmpty());
  EXPECT_THAT(ParseHeaders("HTTP/1.1\r\na: b\r\n\r\n"), IsEmpty());
  EXPECT_THAT(ParseHeaders("NATS/1.0\r\nnonsense\r\na: b\r\n\r\n"), ElementsAre(Header{"a", "b"}));
  EXPECT_THAT(ParseHeaders("NATS/1.0\r\na: cut off"), ElementsAre(Header{"a", "cut off"}));
  EXPECT_THAT(ParseHeaders("NATS/1.0 408 Request Timeout\r\na: b\r\n\r\n"), ElementsAre(Header{"a", "b"}));
}

TEST(HeaderBlockTest, FindsTheStatus) {
  EXPECT_EQ(StatusOf("NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n"), "408 Request Timeout");
  EXPECT_EQ(StatusOf("NATS/1.0 503\r\n\r\n"), "503");
  EXPECT_EQ(StatusOf("NATS/1.0   100  Idle Heartbeat \r\n\r\n"), "100  Idle Heartbeat");
  EXPECT_EQ(StatusOf("NATS/1.0\r\n\r\n"), "");
  EXPECT_EQ(StatusOf(""), "");
  EXPECT_EQ(StatusOf("408 Request Timeout"), "");
}

TEST(HeaderBlockTest, SurvivesAnyBytes) {
  std::mt19937 random(11);
  for (int i = 0; i < 50'000; ++i) {
    std::string block = "NATS/1.0\r\na: b\r\ncc: dd\r\n\r\n";
    for (int flips = random() % 6; flips >= 0; --flips) block[random() % block.size()] = static_cast<char>(random());
    block.resize(random() % (block.size() + 1));
    for (const Header& header : ParseHeaders(block)) {
      EXPECT_LE(header.name.size() + header.value.size(), block.size());
    }
    EXPECT_LE(StatusOf(block).size(), block.size());
  }
}

}  // namespace
}  // namespace sluice::jetstream
