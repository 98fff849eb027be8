#include "client-sdk/cpp/outbox.h"

#include <gtest/gtest.h>

namespace sluice::internal {
namespace {

using Step = Outbox::Step;

v1::ConsumeRequest OpenRequest() {
  v1::ConsumeRequest request;
  request.mutable_open()->set_consumer("orders");
  return request;
}

// Opened, with Open written.
class OutboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    outbox_.Open(OpenRequest());
    ASSERT_EQ(outbox_.Next(), Step::kWrite);
    ASSERT_TRUE(outbox_.request().has_open());
    outbox_.Done();
  }
  const v1::Settle& NextSettle() {
    EXPECT_EQ(outbox_.Next(), Step::kWrite);
    return outbox_.request().settle();
  }

  Outbox outbox_;
};

TEST_F(OutboxTest, OneWriteIsInFlight) {
  outbox_.AddVerdict(1, Ack());
  EXPECT_EQ(outbox_.Next(), Step::kWrite);
  outbox_.AddVerdict(2, Ack());
  EXPECT_EQ(outbox_.Next(), Step::kNothing);
  outbox_.Done();
  EXPECT_EQ(NextSettle().runs(0).ids(0), 2u);
  outbox_.Done();
  EXPECT_EQ(outbox_.Next(), Step::kNothing);
}

TEST_F(OutboxTest, EqualVerdictsInARowShareARun) {
  outbox_.AddVerdict(1, Ack());
  outbox_.AddVerdict(2, Ack());
  outbox_.AddVerdict(3, Nak(std::chrono::milliseconds(1500)));
  outbox_.AddVerdict(4, Nak(std::chrono::milliseconds(1500)));
  outbox_.AddVerdict(5, Nak());
  outbox_.AddVerdict(6, Term("a"));
  outbox_.AddVerdict(7, Term("b"));
  outbox_.AddInProgress(8);
  outbox_.AddVerdict(9, Ack());
  const v1::Settle& settle = NextSettle();
  ASSERT_EQ(settle.runs_size(), 7);
  EXPECT_EQ(settle.runs(0).ids_size(), 2);
  EXPECT_EQ(settle.runs(1).ids_size(), 2);
  EXPECT_EQ(settle.runs(1).nak().delay().nanos(), 500'000'000);
  EXPECT_FALSE(settle.runs(2).nak().has_delay());
  EXPECT_EQ(settle.runs(3).term().reason(), "a");
  EXPECT_EQ(settle.runs(4).term().reason(), "b");
  EXPECT_TRUE(settle.runs(5).has_in_progress());
  EXPECT_EQ(settle.runs(6).ids(0), 9u);
}

TEST_F(OutboxTest, RequestsAreBounded) {
  for (int id = 0; id < Outbox::kMaxIds + 1; ++id) outbox_.AddVerdict(id, Ack());
  EXPECT_EQ(NextSettle().runs(0).ids_size(), Outbox::kMaxIds);
  outbox_.Done();
  EXPECT_EQ(NextSettle().runs(0).ids_size(), 1);
}

TEST_F(OutboxTest, OtherRequestsKeepTheirPlace) {
  outbox_.AddVerdict(1, Ack());
  v1::ConsumeRequest drain;
  drain.mutable_drain();
  outbox_.Add(drain);
  outbox_.AddVerdict(2, Ack());
  EXPECT_EQ(NextSettle().runs(0).ids(0), 1u);
  outbox_.Done();
  EXPECT_EQ(outbox_.Next(), Step::kWrite);
  EXPECT_TRUE(outbox_.request().has_drain());
  outbox_.Done();
  EXPECT_EQ(NextSettle().runs(0).ids(0), 2u);
}

TEST_F(OutboxTest, FinishComesAfterWhatIsQueuedAndNothingAfterIt) {
  outbox_.AddVerdict(1, Ack());
  outbox_.Finish();
  EXPECT_EQ(outbox_.Next(), Step::kWrite);
  outbox_.Done();
  EXPECT_EQ(outbox_.Next(), Step::kWritesDone);
  outbox_.AddVerdict(2, Ack());
  outbox_.Done();
  EXPECT_EQ(outbox_.Next(), Step::kNothing);
}

TEST_F(OutboxTest, AnInProgressIsQueuedUntilItsRequestIsTaken) {
  const uint64_t ordinal = outbox_.AddInProgress(1);
  EXPECT_GT(ordinal, outbox_.taken());
  EXPECT_EQ(outbox_.Next(), Step::kWrite);
  EXPECT_EQ(ordinal, outbox_.taken());
}

TEST_F(OutboxTest, AClosedOneWritesNothingUntilItIsOpenedAgain) {
  outbox_.AddVerdict(1, Ack());
  outbox_.Close();
  EXPECT_EQ(outbox_.Next(), Step::kNothing);
  outbox_.Open(OpenRequest());
  EXPECT_EQ(outbox_.Next(), Step::kWrite);
  EXPECT_TRUE(outbox_.request().has_open());
  outbox_.Done();
  EXPECT_EQ(outbox_.Next(), Step::kNothing) << "verdicts of the old stream are gone";
}

}  // namespace
}  // namespace sluice::internal
