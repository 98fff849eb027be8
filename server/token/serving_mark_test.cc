#include "token/serving_mark.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace sluice::token {
namespace {

class ServingMarkTest : public testing::Test {
 protected:
  ServingMarkTest() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-mark-XXXXXX").string();
    directory_ = mkdtemp(path.data());
    path_ = directory_ + "/key.serving";
  }
  ~ServingMarkTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
};

TEST_F(ServingMarkTest, NamesTheProcessThatDiedBefore) {
  EXPECT_EQ(ServingMark(path_, 7).crashed(), 0u);
  EXPECT_EQ(ServingMark(path_, 8).crashed(), 7u);
  EXPECT_EQ(ServingMark(path_, 9).crashed(), 8u);
}

// Mutation: a mark that stays through a drain.
TEST_F(ServingMarkTest, NotOneThatHadBegunToDrain) {
  const ServingMark mark(path_, 7);
  mark.Remove();
  EXPECT_EQ(ServingMark(path_, 8).crashed(), 0u);
}

TEST_F(ServingMarkTest, RubbishNamesNobody) {
  std::ofstream(path_) << "short";
  EXPECT_EQ(ServingMark(path_, 8).crashed(), 0u);
  EXPECT_EQ(ServingMark(path_, 9).crashed(), 8u);
}

TEST_F(ServingMarkTest, WhereNothingCanBeWrittenNobodyIsNamed) {
  EXPECT_EQ(ServingMark(directory_ + "/nowhere/mark", 7).crashed(), 0u);
  EXPECT_EQ(ServingMark(directory_ + "/nowhere/mark", 8).crashed(), 0u);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(ServingMark(path_, 7).crashed(), 0u);
}

TEST_F(ServingMarkTest, WithoutAPathThereIsNone) {
  const ServingMark mark("", 7);
  mark.Remove();
  EXPECT_EQ(ServingMark("", 8).crashed(), 0u);
}

}  // namespace
}  // namespace sluice::token
