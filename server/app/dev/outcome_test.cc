#include "app/dev/outcome.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 100 published: 90 handled and acked, 4 given back by the drain, 6 never delivered.
Evidence CleanRun() {
  Evidence e;
  e.confirmed = 100;
  e.app.delivered = 92;
  e.app.redelivered = 2;
  e.app.handled = 90;
  e.app.acked = 90;
  e.consumer_known = true;
  e.num_pending = 6;
  e.num_ack_pending = 4;
  e.drained = true;
  e.drain.completed = true;
  e.drain.released = 3;
  e.drain.naked = 1;
  e.drain_time = absl::Microseconds(12'900);
  return e;
}

TEST(OutcomeTest, ACleanRunHasNoFault) {
  const Outcome outcome = Judge(CleanRun());
  EXPECT_THAT(outcome.faults, IsEmpty());
  EXPECT_EQ(outcome.ToLine(),
            "sluice dev: published=100 acked=90 pending=10 redelivered=2 lost=0 duplicates=0 drain_ms=12");
}

TEST(OutcomeTest, WhatIsNeitherHandledNorPendingIsLost) {
  Evidence e = CleanRun();
  e.num_pending = 5;
  const Outcome outcome = Judge(e);
  EXPECT_EQ(outcome.lost, 1u);
  EXPECT_THAT(outcome.faults, ElementsAre("1 message lost"));
}

TEST(OutcomeTest, DuplicatesAreNamed) {
  Evidence e = CleanRun();
  e.app.duplicates = 2;
  const Outcome outcome = Judge(e);
  EXPECT_EQ(outcome.duplicates, 2u);
  EXPECT_THAT(outcome.faults, ElementsAre("2 messages handled twice"));
}

TEST(OutcomeTest, WhatWaitsForAnAckBeyondWhatWasGivenBackIsNamed) {
  Evidence e = CleanRun();
  e.num_ack_pending = 9;
  e.num_pending = 1;
  EXPECT_THAT(Judge(e).faults, ElementsAre(HasSubstr("5 messages sit out ack_wait")));
}

TEST(OutcomeTest, HandledAndStillInTheStreamIsAFault) {
  Evidence e = CleanRun();
  e.num_pending = 8;
  EXPECT_THAT(Judge(e).faults, ElementsAre("2 messages handled, but still in the stream"));
}

TEST(OutcomeTest, WithoutAPubAckTheAccountIsNotClean) {
  Evidence e = CleanRun();
  e.unconfirmed = 3;
  e.num_pending = 9;  // they were stored
  const Outcome outcome = Judge(e);
  EXPECT_EQ(outcome.lost, 0u);
  EXPECT_THAT(outcome.faults, ElementsAre(HasSubstr("3 messages published without a PubAck")));
}

TEST(OutcomeTest, AnUncleanDrainIsAFault) {
  Evidence undrained = CleanRun();
  undrained.drained = false;
  EXPECT_THAT(Judge(undrained).faults, ElementsAre("the daemon was not drained"));

  Evidence late = CleanRun();
  late.drain.deadline_exceeded = true;
  EXPECT_THAT(Judge(late).faults, ElementsAre(HasSubstr("deadline")));

  Evidence unsettled = CleanRun();
  unsettled.drain.unsettled = 1;
  EXPECT_THAT(Judge(unsettled).faults, ElementsAre("the drain left 1 message unsettled"));
}

TEST(OutcomeTest, TroubleOnTheWayStaysTheFirstFault) {
  Evidence e = CleanRun();
  e.trouble = {"the daemon was killed"};
  e.drained = false;
  EXPECT_THAT(Judge(e).faults, ElementsAre("the daemon was killed", "the daemon was not drained"));
}

TEST(OutcomeTest, WithoutTheServersWordNothingIsClaimed) {
  Evidence e;
  e.confirmed = 10;
  const Outcome outcome = Judge(e);
  EXPECT_EQ(outcome.lost, 0u);
  EXPECT_FALSE(outcome.clean());
}

}  // namespace
}  // namespace sluice::dev
