#include "jetstream/pull_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using Kind = core::PullStatus::Kind;

struct Row {
  const char* status;
  Kind kind;
};

class PullStatusRowTest : public testing::TestWithParam<Row> {};

TEST_P(PullStatusRowTest, IsClassified) {
  const auto status = ParsePullStatus(absl::StrCat("NATS/1.0 ", GetParam().status, "\r\n\r\n"), 7);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->kind, GetParam().kind);
  EXPECT_EQ(status->pull_id, 7u);
  EXPECT_EQ(status->description, GetParam().status);
  EXPECT_EQ(status->unsent, std::nullopt);
}

// The texts are those of nats-server 2.9 to 2.15.
INSTANTIATE_TEST_SUITE_P(
    All, PullStatusRowTest,
    testing::Values(Row{"100 Idle Heartbeat", Kind::kHeartbeat}, Row{"408 Request Timeout", Kind::kExpired},
                    Row{"408 Interest Expired", Kind::kExpired}, Row{"408 Requests Pending", Kind::kExpired},
                    Row{"404 No Messages", Kind::kExpired}, Row{"409 Batch Completed", Kind::kExpired},
                    Row{"409 Message Size Exceeds MaxBytes", Kind::kMessageTooLarge},
                    Row{"409 Exceeded MaxWaiting", Kind::kLimitExceeded},
                    Row{"409 Exceeded MaxRequestBatch of 10", Kind::kLimitExceeded},
                    Row{"409 Exceeded MaxRequestExpires of 1s", Kind::kLimitExceeded},
                    Row{"409 Exceeded MaxRequestMaxBytes of 10", Kind::kLimitExceeded},
                    Row{"409 Exceeded MaxAckPending", Kind::kLimitExceeded},
                    Row{"409 Leadership Change", Kind::kLeadershipChange},
                    Row{"409 Server Shutdown", Kind::kServerShutdown},
                    Row{"409 Consumer Deleted", Kind::kConsumerDeleted},
                    Row{"409 Consumer is push based", Kind::kPushBased}, Row{"409", Kind::kUnknown},
                    Row{"409 Something new", Kind::kUnknown}, Row{"400 Bad Request", Kind::kBadRequest},
                    Row{"503", Kind::kNoResponders}, Row{"503 No Responders Available", Kind::kNoResponders},
                    Row{"412 Nats-Pin-Id mismatch", Kind::kUnknown}, Row{"423 Nats-Wrong-Pin-Id", Kind::kWrongPin},
                    Row{"1000 Idle", Kind::kUnknown}, Row{"rubbish", Kind::kUnknown}));

TEST(PullStatusTest, TellsWhatTheServerWillNotSend) {
  const auto unsent = [](absl::string_view headers) {
    return ParsePullStatus(absl::StrCat("NATS/1.0 408 Request Timeout\r\n", headers, "\r\n"), 1)->unsent;
  };
  EXPECT_EQ(unsent("Nats-Pending-Messages: 12\r\nNats-Pending-Bytes: 345\r\n"), 12u);
  EXPECT_EQ(unsent("Nats-Pending-Bytes: 345\r\nNats-Pending-Messages: 0\r\n"), 0u);
  EXPECT_EQ(unsent("Nats-Pending-Bytes: 345\r\n"), std::nullopt);
  EXPECT_EQ(unsent("Nats-Pending-Messages: -1\r\n"), std::nullopt);
  EXPECT_EQ(unsent("Nats-Pending-Messages: many\r\n"), std::nullopt);
}

TEST(PullStatusTest, IsNoneWithoutAStatus) {
  for (const char* block :
       {"", "NATS/1.0", "NATS/1.0\r\n\r\n", "NATS/1.0\r\nNats-Pending-Messages: 1\r\n\r\n", "payload"}) {
    EXPECT_FALSE(ParsePullStatus(block, 1).has_value()) << block;
  }
}

TEST(PullIdTest, IsTheLastToken) {
  EXPECT_EQ(PullIdOf("_INBOX.AbC.17"), 17u);
  EXPECT_EQ(PullIdOf("_INBOX.AbC.18446744073709551615"), 18446744073709551615u);
  EXPECT_EQ(PullIdOf("_INBOX.AbC."), 0u);
  EXPECT_EQ(PullIdOf("_INBOX.AbC.x"), 0u);
  EXPECT_EQ(PullIdOf("17"), 0u);
  EXPECT_EQ(PullIdOf(""), 0u);
}

}  // namespace
}  // namespace sluice::jetstream
