#include "jetstream/ack_subject.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

TEST(AckSubjectTest, ReadsNineTokens) {
  core::Message message;
  ASSERT_TRUE(ParseAckSubject("$JS.ACK.ORDERS.worker.3.17.21.1700000000123456789.42", message));
  EXPECT_EQ(message.num_delivered, 3u);
  EXPECT_EQ(message.stream_sequence, 17u);
  EXPECT_EQ(message.consumer_sequence, 21u);
  EXPECT_EQ(message.timestamp_ns, 1700000000123456789);
  EXPECT_EQ(message.num_pending, 42u);
  EXPECT_EQ(message.numbers_at, 22);
}

TEST(AckSubjectTest, ReadsDomainAndAccountHash) {
  for (const char* tail : {"", ".random", ".more.tokens"}) {
    core::Message message;
    ASSERT_TRUE(ParseAckSubject(absl::StrCat("$JS.ACK.hub.Dx8f.ORDERS.worker.1.2.3.4.5", tail), message)) << tail;
    EXPECT_EQ(message.num_delivered, 1u);
    EXPECT_EQ(message.stream_sequence, 2u);
    EXPECT_EQ(message.consumer_sequence, 3u);
    EXPECT_EQ(message.timestamp_ns, 4);
    EXPECT_EQ(message.num_pending, 5u);
    EXPECT_EQ(message.numbers_at, *tail == '\0' ? 31 : 0);
  }
}

// With what is told of the numbers, it can be written again.
TEST(AckSubjectTest, TellsWhereNumbersAreOnlyIfTheyAreAsWritten) {
  for (const char* numbers : {"01.2.3.4.5", "1.02.3.4.5", "1.2.03.4.5", "1.2.3.04.5", "1.2.3.4.05", "1.2.3.4.00"}) {
    core::Message message;
    message.numbers_at = 1;
    ASSERT_TRUE(ParseAckSubject(absl::StrCat("$JS.ACK.S.C.", numbers), message)) << numbers;
    EXPECT_EQ(message.numbers_at, 0) << numbers;
  }
  core::Message message;
  ASSERT_TRUE(ParseAckSubject("$JS.ACK.S.C.0.0.0.0.0", message));
  EXPECT_EQ(message.numbers_at, 12);
  ASSERT_TRUE(ParseAckSubject(absl::StrCat("$JS.ACK.", std::string(1 << 16, 's'), ".C.1.2.3.4.5"), message));
  EXPECT_EQ(message.numbers_at, 0) << "too far away";
}

TEST(AckSubjectTest, ReadsTheLargestNumbers) {
  core::Message message;
  ASSERT_TRUE(ParseAckSubject("$JS.ACK.S.C.1.18446744073709551615.1.9223372036854775807.0", message));
  EXPECT_EQ(message.stream_sequence, 18446744073709551615u);
}

TEST(AckSubjectTest, OfNoMessageDiffersInTheStreamSequenceAlone) {
  EXPECT_EQ(AckSubjectOfNoMessage("$JS.ACK.ORDERS.worker.3.17.21.1700000000123456789.42"),
            "$JS.ACK.ORDERS.worker.3.4611686018427387904.21.1700000000123456789.42");
  EXPECT_EQ(AckSubjectOfNoMessage("$JS.ACK.hub.Dx8f.ORDERS.worker.1.2.3.4.5.tail"),
            "$JS.ACK.hub.Dx8f.ORDERS.worker.1.4611686018427387904.3.4.5.tail");
}

TEST(AckSubjectTest, TakesAnotherConsumerSequence) {
  EXPECT_EQ(AckSubjectAs("$JS.ACK.ORDERS.worker.3.17.21.1700000000123456789.42", 9),
            "$JS.ACK.ORDERS.worker.3.17.9.1700000000123456789.42");
  EXPECT_EQ(AckSubjectAs("$JS.ACK.hub.Dx8f.ORDERS.worker.1.2.3.4.5.tail", 30),
            "$JS.ACK.hub.Dx8f.ORDERS.worker.1.2.30.4.5.tail");
}

TEST(AckSubjectTest, RefusesAnythingElseAndLeavesTheMessageAlone) {
  const char* const kOthers[] = {
      "",
      "$JS.ACK",
      "$JS.ACK.",
      "_INBOX.abc.1",
      "$js.ack.S.C.1.2.3.4.5",
      "$JS.ACK.S.C.1.2.3.4",      // 8 tokens
      "$JS.ACK.D.S.C.1.2.3.4.5",  // 10 tokens
      "$JS.ACK.S..1.2.3.4.5",     // an empty name
      "$JS.ACK.S.C.1.2.3.4.",     // an empty number
      "$JS.ACK.S.C.1.2.3.4.5.",   // 10, the last one empty
      "$JS.ACK.S.C.x.2.3.4.5",
      "$JS.ACK.S.C.-1.2.3.4.5",
      "$JS.ACK.S.C.+1.2.3.4.5",
      "$JS.ACK.S.C. 1.2.3.4.5",
      "$JS.ACK.S.C.1.18446744073709551616.3.4.5",  // 2^64
      "$JS.ACK.S.C.1.99999999999999999999999.3.4.5",
      "$JS.ACK.S.C.1.2.3.9223372036854775808.5",  // 2^63 ns
  };
  for (const char* reply : kOthers) {
    core::Message message;
    message.stream_sequence = 99;
    EXPECT_FALSE(ParseAckSubject(reply, message)) << reply;
    EXPECT_EQ(message.stream_sequence, 99u) << reply;
    EXPECT_EQ(message.num_delivered, 0u) << reply;
  }
}

TEST(AckSubjectTest, SurvivesAnyMutation) {
  const std::string valid = "$JS.ACK.hub.Dx8f.ORDERS.worker.1.2.3.4.5";
  std::mt19937 random(7);
  for (int i = 0; i < 100'000; ++i) {
    std::string reply = valid;
    for (int flips = random() % 4; flips >= 0; --flips) reply[random() % reply.size()] = static_cast<char>(random());
    reply.resize(random() % (reply.size() + 1));
    core::Message message;
    if (!ParseAckSubject(reply, message)) {
      EXPECT_EQ(message.num_delivered, 0u);
    }
  }
}

TEST(ConsumerOfTest, IsBetweenThePrefixAndTheNumbers) {
  EXPECT_EQ(ConsumerOf("$JS.ACK.ORDERS.worker.1.2.3.4.5"), "ORDERS.worker");
  EXPECT_EQ(ConsumerOf("$JS.ACK.hub.HASH.ORDERS.worker.1.2.3.4.5"), "ORDERS.worker");
  EXPECT_EQ(ConsumerOf("$JS.ACK._.HASH.ORDERS.worker.1.2.3.4.5.token.more"), "ORDERS.worker");
}

TEST(ConsumerOfTest, IsEmptyForAllElse) {
  for (const char* reply :
       {"", "$JS.ACK.", "_INBOX.abc.1", "$JS.ACK.ORDERS.worker.1.2.3.4", "$JS.ACK..worker.1.2.3.4.5",
        "$JS.ACK.ORDERS..1.2.3.4.5", "$JS.FC.ORDERS.worker.1.2.3.4.5", "$JS.ACK.hub.ORDERS.worker.1.2.3.4.5"}) {
    EXPECT_EQ(ConsumerOf(reply), "") << reply;
  }
}

}  // namespace
}  // namespace sluice::jetstream
