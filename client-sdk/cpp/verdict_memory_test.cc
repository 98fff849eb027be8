#include "client-sdk/cpp/verdict_memory.h"

#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

Identity Message(uint64_t sequence, int64_t stored_ns = 0) { return {sequence, stored_ns}; }

void Remember(VerdictMemory& memory, const Identity& message, const Verdict& verdict, uint64_t id = 0,
              std::string_view token = {}) {
  memory.Remember(message, id, 1, verdict, token);
}

TEST(VerdictMemoryTest, FindsTheNewestOfEachMessage) {
  VerdictMemory memory(8);
  Remember(memory, Message(1), Nak());
  Remember(memory, Message(2), Term("no"));
  Remember(memory, Message(1), Ack());
  ASSERT_NE(memory.Find(Message(1)), nullptr);
  EXPECT_EQ(memory.Find(Message(1))->verdict, Ack());
  EXPECT_EQ(memory.Find(Message(2))->verdict, Term("no"));
  EXPECT_EQ(memory.Find(Message(3)), nullptr);
}

TEST(VerdictMemoryTest, ASequenceOfAStreamMadeAnewIsAnotherMessage) {
  VerdictMemory memory(8);
  Remember(memory, Message(1, 100), Ack());
  EXPECT_EQ(memory.Find(Message(1, 200)), nullptr);
  EXPECT_NE(memory.Find(Message(1, 100)), nullptr);
}

TEST(VerdictMemoryTest, ForgetsTheOldest) {
  for (const size_t capacity : {1u, 3u, 5u, 8u}) {
    VerdictMemory memory(capacity);
    for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
      Remember(memory, Message(sequence), Ack(), sequence + 1000);
      for (uint64_t known = 1; known <= 100; ++known) {
        const bool remembered = known <= sequence && known + capacity > sequence;
        const Given* found = memory.Find(Message(known));
        ASSERT_EQ(found != nullptr, remembered) << known << " after " << sequence << " of " << capacity;
        if (remembered) {
          ASSERT_EQ(found->id, known + 1000);
        }
      }
    }
  }
}

// All in one chain, whose older part is overwritten again and again.
TEST(VerdictMemoryTest, ChainsEndWhereTheirMessagesAreForgotten) {
  VerdictMemory memory(4);
  for (uint64_t i = 0; i < 50; ++i) {
    Remember(memory, Message(i * 64), Ack(), i);
    EXPECT_EQ(memory.Find(Message(i * 64))->id, i);
    EXPECT_EQ(memory.Find(Message((i + 1) * 64)), nullptr);
    if (i < 4) continue;
    EXPECT_EQ(memory.Find(Message((i - 4) * 64)), nullptr);
    EXPECT_EQ(memory.Find(Message((i - 3) * 64))->id, i - 3);
  }
}

// What was of the one forgotten, and longer, must not show. Mutation: only the bytes of the new token are written.
TEST(VerdictMemoryTest, NothingIsLeftOfTheOneWhosePlaceIsTaken) {
  VerdictMemory memory(2);
  Remember(memory, Message(1), Term("a long reason, which is not kept in place"), 1, "a token that is quite long");
  Remember(memory, Message(2), Ack(), 2, "second");
  Remember(memory, Message(3), Ack(), 3, "third");
  EXPECT_EQ(memory[1].verdict, Ack());
  EXPECT_EQ(memory[1].token, "third");
  Remember(memory, Message(4), Nak(), 4);
  EXPECT_EQ(memory[1].token, "");
  EXPECT_EQ(memory[0].token, "third");
}

TEST(VerdictMemoryTest, CountsFromTheOldest) {
  VerdictMemory memory(3);
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Remember(memory, Message(sequence), Ack());
  ASSERT_EQ(memory.size(), 3u);
  EXPECT_EQ(memory[0].message.sequence, 3u);
  EXPECT_EQ(memory[2].message.sequence, 5u);
  memory[1].id = 77;
  EXPECT_EQ(memory.Find(Message(4))->id, 77u);
}

}  // namespace
}  // namespace sluice::internal
