#include "app/table.h"

#include <gtest/gtest.h>

namespace sluice::app {
namespace {

TEST(Table, AlignsColumnsAndPutsNumbersRight) {
  Table table({"NAME", "COUNT", "NOTE"});
  table.AddRow({"orders", "7", "x"});
  table.AddRow({"é", "1,234", "12 of them, or so"});
  table.AddRow({"c", "-", ""});
  EXPECT_EQ(table.ToString(),
            "NAME    COUNT  NOTE\n"
            "orders      7  x\n"
            "é       1,234  12 of them, or so\n"
            "c           -\n");
}

TEST(Table, Indents) {
  Table table({"A"});
  table.AddRow({"b"});
  EXPECT_EQ(table.ToString(2), "  A\n  b\n");
}

TEST(Table, HeaderAlone) { EXPECT_EQ(Table({"A", "B"}).ToString(), "A  B\n"); }

TEST(WithCommas, Groups) {
  const std::pair<uint64_t, const char*> cases[] = {{0, "0"},
                                                    {999, "999"},
                                                    {1000, "1,000"},
                                                    {123456, "123,456"},
                                                    {1234567, "1,234,567"},
                                                    {UINT64_MAX, "18,446,744,073,709,551,615"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(WithCommas(number), text);
}

TEST(ForPeople, ChoosesTheUnit) {
  const std::pair<double, const char*> cases[] = {{0, "0.0 ms"},    {0.0123, "12.3 ms"}, {3.456, "3.46 s"},
                                                  {125, "2 m 5 s"}, {7260, "2 h 1 m"},   {90000, "1 d 1 h"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(ForPeople(absl::Seconds(seconds)), text);
}

}  // namespace
}  // namespace sluice::app
