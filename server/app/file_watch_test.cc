#include "app/file_watch.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace sluice::app {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string path = (fs::temp_directory_path() / "sluice-watch-XXXXXX").string();
    dir_ = mkdtemp(path.data());
  }
  ~FileWatchTest() override { fs::remove_all(dir_); }

  void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  fs::path dir_;
};

TEST_F(FileWatchTest, ToldOnceWhenItIsStable) {
  Write(dir_ / "a", "1");
  FileWatch watch({dir_ / "a", dir_ / "none"});
  EXPECT_FALSE(watch.Changed());
  Write(dir_ / "a", "22");
  EXPECT_FALSE(watch.Changed()) << "it may be half of it";
  Write(dir_ / "a", "333");
  EXPECT_FALSE(watch.Changed());
  EXPECT_TRUE(watch.Changed());
  watch.Reset({dir_ / "a", dir_ / "none"});
  EXPECT_FALSE(watch.Changed());
}

TEST_F(FileWatchTest, FilesThatComeAndGo) {
  FileWatch watch({dir_ / "a"});
  Write(dir_ / "a", "1");
  watch.Changed();
  EXPECT_TRUE(watch.Changed());
  watch.Reset({dir_ / "a"});
  fs::remove(dir_ / "a");
  watch.Changed();
  EXPECT_TRUE(watch.Changed());
}

// As the kubelet updates a ConfigMap: the file's own link stays, `..data` is renamed over.
TEST_F(FileWatchTest, SwapOfAFolderByItsSymlink) {
  Write(dir_ / "..v1" / "sluice.yaml", "a");
  Write(dir_ / "..v2" / "sluice.yaml", "b");
  fs::create_directory_symlink("..v1", dir_ / "..data");
  fs::create_symlink("..data/sluice.yaml", dir_ / "sluice.yaml");
  FileWatch watch({dir_ / "sluice.yaml"});
  EXPECT_FALSE(watch.Changed());
  fs::create_directory_symlink("..v2", dir_ / "..data_tmp");
  fs::rename(dir_ / "..data_tmp", dir_ / "..data");
  watch.Changed();
  EXPECT_TRUE(watch.Changed());
}

}  // namespace
}  // namespace sluice::app
