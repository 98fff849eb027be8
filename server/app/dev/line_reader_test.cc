#include "app/dev/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LineReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  void TearDown() override {
    close(ends_[0]);
    CloseWriter();
  }
  void Write(const std::string& text) {
    ASSERT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  std::vector<std::string> Read() { return reader_.Read(ends_[0]); }

  int ends_[2] = {-1, -1};
  LineReader reader_;
};

TEST_F(LineReaderTest, GivesCompleteLinesOnly) {
  EXPECT_THAT(Read(), IsEmpty());
  Write("one\ntwo\nthr");
  EXPECT_THAT(Read(), ElementsAre("one", "two"));
  Write("ee\n\n");
  EXPECT_THAT(Read(), ElementsAre("three", ""));
  EXPECT_FALSE(reader_.ended());
}

TEST_F(LineReaderTest, KnowsTheEnd) {
  Write("last\nhalf");
  CloseWriter();
  EXPECT_THAT(Read(), ElementsAre("last"));
  EXPECT_TRUE(reader_.ended());
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(LineReaderTest, AnEndlessLineIsBounded) {
  for (int i = 0; i < 40; ++i) {
    Write(std::string(4096, 'x'));
    ASSERT_THAT(Read(), IsEmpty());
  }
  Write("\nnext\n");
  const std::vector<std::string> lines = Read();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_LT(lines[0].size(), 2 * LineReader::kLongestLine);
  EXPECT_EQ(lines[1], "next");
}

}  // namespace
}  // namespace sluice::dev
