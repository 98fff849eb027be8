#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "config/load.h"
#include "config/print.h"

namespace sluice::config {
namespace {

constexpr absl::string_view kValid = R"(# A comment
nats:
  servers: [nats://a:4222, "nats://u:p@b"]
  token: ${TOKEN:-x}
  tls: &tls {enabled: true, ca_file: ""}
listen: {unix: /tmp/s, tcp: '[::1]:0'}
drain: {timeout: 1m30s}
consumers:
  - name: orders
    stream: ORDERS
    pull: {batch: 64, expires: 2s, heartbeat: 250ms}
    config:
      filter_subjects: [a.*, b.>]
      opt_start_time: 2026-01-31T08:00:00Z
      deliver_policy: by_start_time
      metadata: {a: |
        several
        lines
      }
  - name: other
    stream: ORDERS
    manage: off
)";

// What breaks parsers: YAML's own signs, and pieces that mean something to this one.
constexpr absl::string_view kPieces[] = {"\n",
                                         "\t",
                                         " ",
                                         ":",
                                         "- ",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         "&tls ",
                                         "*tls",
                                         "!x ",
                                         "|\n",
                                         ">\n",
                                         "'",
                                         "\"",
                                         "#",
                                         "%",
                                         "---",
                                         "...\n",
                                         "? ",
                                         "<<",
                                         "${",
                                         "$$",
                                         "}",
                                         "\\x00",
                                         ",",
                                         "~",
                                         "@",
                                         "\xff",
                                         "\xef\xbb\xbf",
                                         "\xc3",
                                         "0",
                                         "-1",
                                         "1e999",
                                         "inf",
                                         "99999999999999999999",
                                         "name: x",
                                         "[[[[[[[[[[[[[[[[[[[[[[[["};

std::string Mutate(std::string text, std::mt19937& random) {
  const auto below = [&random](size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        text.insert(at, kPieces[below(std::size(kPieces))].data());
        break;
      case 1:
        text.erase(at, 1 + below(20));
        break;
      case 2:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 3:
        text.insert(at, text.substr(below(text.size() + 1), below(200)));
        break;
      case 4:
        text.resize(at);
        break;
    }
  }
  return text;
}

// Whatever the file holds: either it is good and can be printed, or there are problems, each a line with a place.
TEST(Parse, BearsAnyText) {
  std::mt19937 random(1);
  int good = 0;
  int bad = 0;
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = Mutate(std::string(kValid), random);
    const Loaded loaded = Parse(text, "f.yaml");
    if (loaded.ok()) {
      ++good;
      EXPECT_FALSE(ToYaml(loaded.config).empty());
      continue;
    }
    ++bad;
    for (const Problem& problem : loaded.problems) {
      EXPECT_GE(problem.line, 1) << text;
      EXPECT_GE(problem.column, 1) << text;
      EXPECT_FALSE(absl::StrContains(problem.ToString(), "\n")) << problem.ToString();
    }
  }
  EXPECT_GT(good, 20);  // else the mutations are too coarse to get past the YAML parser
  EXPECT_GT(bad, 100);
}

}  // namespace
}  // namespace sluice::config
