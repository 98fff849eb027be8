// An ACK on what is held here no more settles its message all the same. With an ordering, what JetStream has delivered
// again of it meanwhile is not handed out. ledger_order.cc has the same rule for the simulation.
#include <optional>

#include "core/unary_access.h"
#include "gmock/gmock.h"
#include "test/support/consumer_fixture.h"

namespace sluice::core {
namespace {

using test::MakeMessage;
using test::Numbers;
using test::RecordingStream;
using test::Strings;
using testing::ElementsAre;
using testing::IsEmpty;

class LateAckTest : public test::ConsumerFixture {
 protected:
  LateAckTest() {
    options_.ordering = Ordering::kKey;
    options_.key.subject_token = 1;  // "orders": all of one key
  }

  struct Call {
    bool ended = false;
    Numbers ids;
    Numbers sequences;
  };

  Call& Fetch(const FetchRequest& request) {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    const auto number = consumer().unary().Fetch(request, [&call](const FetchResult& result) {
      call.ended = true;
      for (const Delivery* delivery : result.deliveries) {
        call.ids.push_back(delivery->id);
        call.sequences.push_back(delivery->stream_sequence());
      }
    });
    EXPECT_TRUE(number.ok()) << number.status();
    return call;
  }
  // Message 1, fetched, and given back at the end of its lease.
  uint64_t FetchedAndGone() {
    const Call& call = Fetch({.lease = absl::Seconds(1)});
    source_->SendRange(1, 1);
    loop_.RunFor(absl::ZeroDuration());
    source_->EndPull();
    loop_.RunFor(absl::Seconds(1));
    EXPECT_EQ(Sent(), Strings{"NAK ack.1.1"});
    return call.ids.at(0);
  }
  // Message 1 in so many more attempts, and 2, which waits for it.
  void SendAgain(uint64_t last_attempt) {
    std::vector<Message> again;
    for (uint64_t attempt = 2; attempt <= last_attempt; ++attempt) again.push_back(MakeMessage(1, attempt));
    again.push_back(MakeMessage(2));
    source_->Send(std::move(again));
  }
  SettleOutcome Ack(SettleTarget target) {
    std::optional<SettleOutcome> outcome;
    const std::vector<SettleTarget> targets = {std::move(target)};
    consumer().unary().Settle(targets, {}, [&](SettleAnswers answers) { outcome = answers.at(0).outcome; });
    ConfirmLast();
    return outcome.value_or(SettleOutcome::kFailed);
  }
  // What the app has been given.
  Numbers Given() {
    if (app_ == nullptr) Open((app_ = std::make_unique<RecordingStream>()).get(), 1);
    return app_->sequences();
  }
  // As of another daemon process.
  static GoneDelivery Foreign(int64_t consumer_created_ns = 0) {
    DeliveryToken token;
    token.reply = "ack.1.1";
    token.key = "orders";
    token.stream_sequence = 1;
    token.consumer_created_ns = consumer_created_ns;
    return GoneDelivery(token);
  }

  std::vector<std::unique_ptr<Call>> calls_;
  std::unique_ptr<RecordingStream> app_;  // null: it has not come yet
};

// Mutation: a ForwardAck() that only forwards.
TEST_F(LateAckTest, AfterALeaseSettlesWhatCameAgain) {
  Start();
  const uint64_t id = FetchedAndGone();
  SendAgain(2);
  EXPECT_EQ(Ack({id}), SettleOutcome::kLate);
  EXPECT_EQ(Sent().back(), "ACK ack.1.1");
  EXPECT_EQ(Given(), Numbers{2});
}

// Mutation: DropUnseenTwins() drops one.
TEST_F(LateAckTest, AllOfIt) {
  Start();
  const uint64_t id = FetchedAndGone();
  SendAgain(2);  // 1 is about to start
  SendAgain(3);  // and waits twice
  Ack({id});
  EXPECT_EQ(Given(), Numbers{2});
}

// Mutations: fills() is false; Settle() does not pump.
TEST_F(LateAckTest, AlsoWhatACallHasThatStillFills) {
  Start();
  const uint64_t id = FetchedAndGone();
  const Call& call = Fetch({.batch = 10});
  SendAgain(2);
  Ack({id});
  EXPECT_FALSE(call.ended);
  loop_.RunFor(Fetch::kMostFilling);
  EXPECT_THAT(call.sequences, ElementsAre(2));
}

// A NAK that waits for the end of the open pull. Mutation: ForwardLateAck() that passes the ACK on, and leaves the NAK.
TEST_F(LateAckTest, IsInTimeForWhatIsNotNakedYet) {
  Start();
  const Call& call = Fetch({.batch = 2, .lease = absl::Seconds(1)});
  source_->SendRange(1, 1);
  loop_.RunFor(absl::Milliseconds(100));
  ASSERT_THAT(call.ids, testing::SizeIs(1));
  daemon_.Drain(absl::Seconds(10));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(Sent(), IsEmpty());
  EXPECT_EQ(Ack({call.ids[0]}), SettleOutcome::kLate);
  Fence();
  EXPECT_EQ(Sent(), Strings{"ACK ack.1.1"});
}

// It may be at it by now.
TEST_F(LateAckTest, ButNotWhatAnotherCallWasGiven) {
  Start();
  const uint64_t id = FetchedAndGone();
  const Call& call = Fetch({});
  SendAgain(2);
  loop_.RunFor(absl::ZeroDuration());
  ASSERT_THAT(call.sequences, ElementsAre(1));
  EXPECT_EQ(Ack({id}), SettleOutcome::kLate);
  EXPECT_THAT(Given(), IsEmpty()) << "2 waits for 1";
  EXPECT_EQ(Ack({call.ids[0]}), SettleOutcome::kConfirmed);
  EXPECT_EQ(Given(), Numbers{2});
}

TEST_F(LateAckTest, OfAnEarlierProcessSettlesWhatCameAgain) {
  Start();
  SendAgain(2);
  EXPECT_EQ(Ack({0, Foreign()}), SettleOutcome::kConfirmed);
  EXPECT_EQ(Given(), Numbers{2});
}

// Mutation: FindUnseenTwin() does not compare the durables.
TEST_F(LateAckTest, OfADurableThatWasMadeAnewSettlesNothing) {
  Start();
  SendAgain(2);
  Ack({0, Foreign(5)});
  EXPECT_EQ(Given(), Numbers{1});
}

}  // namespace
}  // namespace sluice::core
