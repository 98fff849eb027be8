#include "config/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/load.h"

namespace sluice::config {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(absl::StrCat(SLUICE_SOURCE_DIR, "/", path));
  EXPECT_TRUE(file.is_open()) << path;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string Row(const KeyDoc& key) {
  return absl::StrCat("| `", key.path, "` | ", key.type, " | ", key.default_value, " | ", key.limit, " | ", key.meaning,
                      " |");
}

// docs/configuration.md lists every key as the schema has it, in its order, and no other.
TEST(Schema, IsDocumented) {
  std::string expected;
  const auto schema = Schema();
  for (const KeyDoc& key : schema->keys) absl::StrAppend(&expected, Row(key), "\n");
  std::string documented;
  for (absl::string_view line : absl::StrSplit(ReadFile("docs/configuration.md"), '\n')) {
    const bool is_flag = absl::StartsWith(line, "| `--");
    if (absl::StartsWith(line, "| `") && !is_flag) absl::StrAppend(&documented, line, "\n");
  }
  EXPECT_EQ(documented, expected);
}

TEST(Schema, SaysWhatEachKeyMeans) {
  std::set<std::string> paths;
  const auto schema = Schema();
  for (const KeyDoc& key : schema->keys) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.type.empty()) << key.path;
    EXPECT_TRUE(absl::EndsWith(key.meaning, ".")) << key.path;
  }
}

TEST(Schema, AcceptsTheExample) {
  const Loaded loaded = Parse(ReadFile("deploy/examples/sluice.yaml"), "sluice.yaml", {},
                              [](const std::string&) { return std::nullopt; });
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << problem.ToString();
}

}  // namespace
}  // namespace sluice::config
