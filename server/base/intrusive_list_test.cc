#include "base/intrusive_list.h"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

struct Item {
  explicit Item(int value) : value(value) {}
  int value;
  ListLink link;
};
using Items = IntrusiveList<Item, &Item::link>;

std::vector<int> Values(const Items& items) {
  std::vector<int> values;
  for (Item* item = items.front(); item != nullptr; item = items.next(item)) values.push_back(item->value);
  return values;
}

TEST(IntrusiveListTest, KeepsTheOrderOfPushes) {
  Item a(1), b(2), c(3);
  Items items;
  EXPECT_TRUE(items.empty());
  EXPECT_EQ(items.front(), nullptr);
  items.PushBack(&b);
  items.PushBack(&c);
  items.PushFront(&a);
  EXPECT_EQ(Values(items), (std::vector<int>{1, 2, 3}));
}

TEST(IntrusiveListTest, RemovesAnywhereAndForgivesTwice) {
  Item a(1), b(2), c(3);
  Items items;
  for (Item* item : {&a, &b, &c}) items.PushBack(item);
  Items::Remove(&b);
  Items::Remove(&b);
  EXPECT_FALSE(b.link.linked());
  EXPECT_EQ(Values(items), (std::vector<int>{1, 3}));
  EXPECT_EQ(items.PopFront(), &a);
  EXPECT_EQ(items.PopFront(), &c);
  EXPECT_EQ(items.PopFront(), nullptr);
}

TEST(IntrusiveListTest, InsertsBeforeAnother) {
  Item a(1), b(2), c(3);
  Items items;
  items.PushBack(&a);
  items.PushBack(&c);
  items.InsertBefore(&c, &b);
  EXPECT_EQ(Values(items), (std::vector<int>{1, 2, 3}));
}

}  // namespace
}  // namespace sluice::base
