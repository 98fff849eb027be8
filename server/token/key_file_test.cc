#include "token/key_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::token {
namespace {

using testing::HasSubstr;

class KeyFileTest : public testing::Test {
 protected:
  KeyFileTest() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-token-XXXXXX").string();
    directory_ = mkdtemp(path.data());
    path_ = directory_ + "/sluice.sock.key";
  }
  ~KeyFileTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& content, mode_t mode) {
    std::ofstream(path_) << content;
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }
  std::string Refusal() { return std::string(LoadOrMakeKey(path_).status().message()); }

  std::string directory_;
  std::string path_;
};

TEST_F(KeyFileTest, IsMadeOnceAndKept) {
  const auto key = LoadOrMakeKey(path_);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->size(), 32u);
  EXPECT_EQ(*LoadOrMakeKey(path_), *key);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_NE(RandomKey(), RandomKey());
}

// Nothing else is left there, whoever was first.
TEST_F(KeyFileTest, DaemonsThatStartTogetherAgree) {
  std::vector<std::string> keys(8);
  std::vector<std::thread> daemons;
  for (std::string& key : keys) daemons.emplace_back([&] { key = LoadOrMakeKey(path_).value_or(""); });
  for (std::thread& daemon : daemons) daemon.join();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 1u);
  EXPECT_EQ(keys.front().size(), 32u);
  const auto files = std::filesystem::directory_iterator(directory_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(KeyFileTest, OneThatOthersCanReadIsRefused) {
  Write(std::string(32, 'k'), 0640);
  EXPECT_THAT(Refusal(), HasSubstr("can be used by others, its mode is 0640; remove it"));
}

TEST_F(KeyFileTest, OneOfAnotherLengthIsRefused) {
  Write("short", 0600);
  EXPECT_THAT(Refusal(), HasSubstr("has 5 bytes and is no key, which has 32; remove it"));
  Write(std::string(33, 'k'), 0600);
  EXPECT_THAT(Refusal(), HasSubstr("has 33 bytes"));
  Write("", 0600);
  EXPECT_THAT(Refusal(), HasSubstr("has 0 bytes"));
}

TEST_F(KeyFileTest, WhatIsNoFileIsRefused) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(Refusal(), HasSubstr("is not a plain file; configure another path"));
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // and nothing waits for its other end
  EXPECT_THAT(Refusal(), HasSubstr("is not a plain file"));
}

TEST_F(KeyFileTest, ALinkIsNotFollowed) {
  std::ofstream(directory_ + "/elsewhere") << std::string(32, 'k');
  std::filesystem::create_symlink(directory_ + "/elsewhere", path_);
  EXPECT_THAT(Refusal(), HasSubstr("it must be no symbolic link"));
}

TEST_F(KeyFileTest, AMissingDirectoryIsNamed) {
  path_ = directory_ + "/nowhere/key";
  EXPECT_THAT(Refusal(), HasSubstr("make its directory first"));
}

}  // namespace
}  // namespace sluice::token
