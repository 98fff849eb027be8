#include "jetstream/pull_status.h"

#include <string>

#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using Kind = core::PullStatus::Kind;

struct Row {
  const char* status;
  Kind kind;
};

class PullStatusTest : public testing::TestWithParam<Row> {};

TEST_P(PullStatusTest, IsClassified) {
  const core::PullStatus status = ClassifyPullStatus(GetParam().status, 7);
  EXPECT_EQ(status.kind, GetParam().kind);
  EXPECT_EQ(status.pull_id, 7u);
  EXPECT_EQ(status.description, GetParam().status);
}

// The texts are those of nats-server 2.9 to 2.15.
INSTANTIATE_TEST_SUITE_P(
    All, PullStatusTest,
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
                    Row{"412 Nats-Pin-Id mismatch", Kind::kUnknown}, Row{"423 Nats-Wrong-Pin-Id", Kind::kUnknown},
                    Row{"", Kind::kUnknown}, Row{"1000 Idle", Kind::kUnknown}, Row{" 408", Kind::kUnknown}));

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
