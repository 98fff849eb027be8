#include "base/mailbox.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(MailboxTest, OnlyTheFirstOfABatchWakesTheReader) {
  Mailbox<int> mailbox;
  EXPECT_TRUE(mailbox.Push(1));
  EXPECT_FALSE(mailbox.Push(2));
  std::vector<int> batch = {99};
  mailbox.Take(batch);
  EXPECT_EQ(batch, (std::vector<int>{1, 2}));
  EXPECT_TRUE(mailbox.Push(3));
}

TEST(MailboxTest, TakesMoveOnlyValues) {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.Push(std::make_unique<int>(7));
  std::vector<std::unique_ptr<int>> batch;
  mailbox.Take(batch);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(*batch[0], 7);
}

TEST(MailboxTest, LosesNothingAndKeepsTheOrderOfEachWriter) {
  constexpr int kCount = 50000;
  Mailbox<int> mailbox;
  std::thread writer([&] {
    for (int i = 0; i < kCount; ++i) mailbox.Push(i);
  });
  std::vector<int> batch;
  int next = 0;
  while (next < kCount) {
    mailbox.Take(batch);
    for (int value : batch) ASSERT_EQ(value, next++);
  }
  writer.join();
}

}  // namespace
}  // namespace sluice::base
