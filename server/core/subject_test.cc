#include "core/subject.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(SubjectMatches, GoesTokenByToken) {
  EXPECT_TRUE(SubjectMatches("orders.new", "orders.new"));
  EXPECT_FALSE(SubjectMatches("orders.new", "orders.newer"));
  EXPECT_FALSE(SubjectMatches("orders.new", "orders"));
  EXPECT_FALSE(SubjectMatches("orders", "orders.new"));
}

TEST(IsSubjectPattern, HasNoEmptyTokens) {
  for (const char* good : {"a", "a.b", "*", ">", "a.*.>", "$x"}) EXPECT_TRUE(IsSubjectPattern(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", ">.a", "a b", "a\n"}) EXPECT_FALSE(IsSubjectPattern(bad)) << bad;
}

TEST(SubjectMatches, AStarIsOneToken) {
  EXPECT_TRUE(SubjectMatches("orders.*", "orders.new"));
  EXPECT_TRUE(SubjectMatches("*.*.x", "orders.new.x"));
  EXPECT_FALSE(SubjectMatches("orders.*", "orders"));
  EXPECT_FALSE(SubjectMatches("orders.*", "orders.new.x"));
  EXPECT_FALSE(SubjectMatches("orders.n*", "orders.new")) << "only a whole token is a wildcard";
}

TEST(SubjectMatches, TheRestIsOneTokenOrMore) {
  EXPECT_TRUE(SubjectMatches(">", "orders"));
  EXPECT_TRUE(SubjectMatches("orders.>", "orders.new.x"));
  EXPECT_FALSE(SubjectMatches("orders.>", "orders"));
  EXPECT_FALSE(SubjectMatches("orders.>", "dead.orders"));
}

}  // namespace
}  // namespace sluice::core
