#include "core/ordering.h"

#include "gtest/gtest.h"

namespace sluice::core {
namespace {

std::string SubjectKey(int token, absl::string_view subject) {
  Message message;
  message.subject = subject;
  return std::string(KeySelector{token, ""}.KeyOf(message));
}

TEST(KeySelector, CountsTokensFromTheStart) {
  EXPECT_EQ(SubjectKey(1, "orders.eu.42"), "orders");
  EXPECT_EQ(SubjectKey(3, "orders.eu.42"), "42");
  EXPECT_EQ(SubjectKey(1, "orders"), "orders");
}

TEST(KeySelector, CountsTokensFromTheEnd) {
  EXPECT_EQ(SubjectKey(-1, "orders.eu.42"), "42");
  EXPECT_EQ(SubjectKey(-3, "orders.eu.42"), "orders");
  EXPECT_EQ(SubjectKey(-1, "orders"), "orders");
}

TEST(KeySelector, ASubjectThatIsTooShortHasTheEmptyKey) {
  EXPECT_EQ(SubjectKey(4, "orders.eu.42"), "");
  EXPECT_EQ(SubjectKey(-4, "orders.eu.42"), "");
}

TEST(KeySelector, TakesTheFirstValueOfAHeader) {
  Message message;
  message.subject = "orders";
  message.headers = {{"customer", "no: names are exact"}, {"Customer", "a"}, {"Customer", "b"}};
  EXPECT_EQ((KeySelector{std::nullopt, "Customer"}.KeyOf(message)), "a");
  EXPECT_EQ((KeySelector{std::nullopt, "Account"}.KeyOf(message)), "");
}

}  // namespace
}  // namespace sluice::core
