#include "app/dev/workspace.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

namespace fs = std::filesystem;

TEST(WorkspaceTest, IsPrivateAndGoesWithAllThatIsInIt) {
  fs::path folder;
  {
    absl::StatusOr<Workspace> made = Workspace::Make(/*keep=*/false);
    ASSERT_TRUE(made.ok()) << made.status();
    const Workspace workspace = *std::move(made);
    folder = workspace.folder();
    EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
    ASSERT_TRUE(workspace.Write("a.txt", "content").ok());
    std::ostringstream text;
    text << std::ifstream(workspace.Path("a.txt")).rdbuf();
    EXPECT_EQ(text.str(), "content");
    fs::create_directories(folder / "deep" / "er");
  }
  EXPECT_FALSE(fs::exists(folder));
}

TEST(WorkspaceTest, StaysIfItIsToBeKept) {
  fs::path folder;
  {
    const absl::StatusOr<Workspace> workspace = Workspace::Make(/*keep=*/true);
    ASSERT_TRUE(workspace.ok()) << workspace.status();
    folder = workspace->folder();
  }
  EXPECT_TRUE(fs::exists(folder));
  fs::remove_all(folder);
}

TEST(WorkspaceTest, WhatCannotBeWrittenIsAnError) {
  const absl::StatusOr<Workspace> workspace = Workspace::Make(/*keep=*/false);
  ASSERT_TRUE(workspace.ok()) << workspace.status();
  EXPECT_FALSE(workspace->Write("no/such/folder", "x").ok());
}

}  // namespace
}  // namespace sluice::dev
