#include "config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> Variables(const std::string& name) {
  if (name == "USER_NAME") return "orders";
  if (name == "EMPTY") return "";
  if (name == "MONEY") return "$$${EMPTY}";
  return std::nullopt;
}

TEST(Expand, ReplacesVariables) {
  const std::pair<const char*, const char*> cases[] = {
      {"plain", "plain"},
      {"", ""},
      {"a-${USER_NAME}-b", "a-orders-b"},
      {"${USER_NAME}${USER_NAME}", "ordersorders"},
      {"${UNSET:-fallback}", "fallback"},
      {"${UNSET:-}", ""},
      {"${UNSET:-a:-b}", "a:-b"},
      {"${EMPTY:-fallback}", "fallback"},
      {"<${EMPTY}>", "<>"},
      {"${USER_NAME:-fallback}", "orders"},
      {"$JS.API", "$JS.API"},
      {"$", "$"},
      {"a$", "a$"},
      {"$$", "$"},
      {"$${USER_NAME}", "${USER_NAME}"},
      {"$$$${USER_NAME}", "$${USER_NAME}"},
      {"${MONEY}", "$$${EMPTY}"},  // what comes from a variable is not expanded again
  };
  for (const auto& [text, expanded] : cases) EXPECT_EQ(Expand(text, Variables).value(), expanded) << text;
}

TEST(Expand, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"${UNSET}", "environment variable 'UNSET' is not set; set it, or write ${UNSET:-default}"},
      {"${USER_NAME", "'${' without '}'"},
      {"${}", "does not name an environment variable"},
      {"${:-x}", "does not name an environment variable"},
      {"${9LIVES}", "does not name an environment variable"},
      {"${USER-x}", "does not name an environment variable"},
      {"${ USER_NAME }", "does not name an environment variable"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(std::string(Expand(text, Variables).status().message()), HasSubstr(complaint)) << text;
  }
}

TEST(Escape, IsUndoneByExpand) {
  for (const char* text : {"", "$", "$$", "${USER_NAME}", "$JS.API", "a$${b}$"}) {
    EXPECT_EQ(Expand(Escape(text), Variables).value(), text);
  }
}

}  // namespace
}  // namespace sluice::config
