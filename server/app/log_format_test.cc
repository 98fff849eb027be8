#include "app/log_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::app {
namespace {

using base::Severity;

const absl::Time kTime = absl::FromUnixMillis(1'769'846'400'123);  // 2026-01-31 08:00:00.123 UTC

TEST(FormatJson, IsOneObjectInOrder) {
  EXPECT_EQ(
      FormatJson(kTime, Severity::kWarning, "consumer missing", {{"stream", "ORDERS"}, {"attempt", 3}}),
      R"({"ts":"2026-01-31T08:00:00.123Z","level":"warning","msg":"consumer missing","stream":"ORDERS","attempt":"3"})");
}

TEST(FormatJson, EscapesWhatWouldBreakTheLine) {
  const std::string value = std::string("quote \" backslash \\ break \n\r\t nul ") + '\0' + " é \x7f";
  const std::string line = FormatJson(kTime, Severity::kInfo, "m\n", {{"client_id", value}});
  EXPECT_EQ(line.find_first_of(std::string("\n\r\t\0", 4)), std::string::npos) << line;
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["client_id"], value);
  EXPECT_EQ(json["msg"], "m\n");
}

TEST(FormatJson, ReplacesBytesThatAreNotUtf8) {
  const auto json = nlohmann::json::parse(FormatJson(kTime, Severity::kInfo, "m", {{"subject", "a\xff\xc3(b"}}));
  EXPECT_EQ(json["subject"], "a\xEF\xBF\xBD\xEF\xBF\xBD(b");
}

TEST(FormatText, IsForTerminals) {
  const std::string line = FormatText(kTime, Severity::kError, "not\x1b[2J attached",
                                      {{"stream", "S"}, {"err", "no such stream"}, {"x", ""}});
  EXPECT_EQ(line.substr(sizeof("08:00:00.123")),
            "error   not\\033[2J attached  stream=S  err=\"no such stream\"  x=\"\"");
}

TEST(FormatText, ShowsWhereAValueEnds) {
  const std::string line = FormatText(kTime, Severity::kInfo, "m", {{"a", "x=\"1\""}, {"b", "l1\nl2"}});
  EXPECT_EQ(line.substr(sizeof("08:00:00.123")), "info    m  a=\"x=\\\"1\\\"\"  b=l1\\nl2");
}

}  // namespace
}  // namespace sluice::app
