#include "core/outbox.h"

#include <optional>

#include <gtest/gtest.h>

#include "test/support/scripted_source.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

class OutboxTest : public testing::Test {
 protected:
  void Send(uint64_t sequence, Verdict verdict, absl::Duration nak_delay = absl::ZeroDuration()) {
    Delivery delivery;
    delivery.message = test::MakeMessage(sequence);
    delivery.ack_deadline = loop_.now() + absl::Seconds(10);
    outbox_.Send(delivery, {verdict, nak_delay, {}});
  }
  void Fence() {
    outbox_.Fence(loop_.now() + absl::Seconds(1), [this](uint64_t unconfirmed) { fenced_ = unconfirmed; });
  }
  void Confirm(const absl::Status& status = absl::OkStatus()) {
    outbox_.OnConfirmed(source_.confirmations.back().tag, status);
  }
  std::vector<std::string> Replies() const {
    std::vector<std::string> replies;
    for (const auto& settled : source_.settled) replies.push_back(settled.reply);
    return replies;
  }

  test::SimLoop loop_;
  test::ScriptedSource source_;
  Outbox outbox_{&loop_.timers(), &source_};
  std::optional<uint64_t> fenced_;
};

TEST_F(OutboxTest, SendsAtOnceWhileConnected) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Send(2, Verdict::kNak, absl::Seconds(3));
  ASSERT_EQ(source_.settled.size(), 2u);
  EXPECT_EQ(source_.settled[0], (test::ScriptedSource::Settled{"ack.1.1", Verdict::kAck, absl::ZeroDuration()}));
  EXPECT_EQ(source_.settled[1], (test::ScriptedSource::Settled{"ack.2.1", Verdict::kNak, absl::Seconds(3)}));
}

TEST_F(OutboxTest, KeepsVerdictsWhileNatsIsAwayAndSendsThemInOrder) {
  for (uint64_t i = 1; i <= 3; ++i) Send(i, Verdict::kAck);
  EXPECT_TRUE(source_.settled.empty());
  outbox_.OnConnection(true);
  EXPECT_EQ(Replies(), (std::vector<std::string>{"ack.1.1", "ack.2.1", "ack.3.1"}));
}

TEST_F(OutboxTest, SendsAgainWhatNobodyHasVouchedForAsFarAsThatIsSafe) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Send(2, Verdict::kNak);
  Send(3, Verdict::kTerm);
  outbox_.OnConnection(false);
  source_.settled.clear();
  outbox_.OnConnection(true);
  EXPECT_EQ(Replies(), (std::vector<std::string>{"ack.1.1", "ack.3.1"})) << "a second NAK may hit the next holder";
}

TEST_F(OutboxTest, AfterTheAckDeadlineOnlyAnAckIsStillSent) {
  Send(1, Verdict::kAck);
  Send(2, Verdict::kNak);
  Send(3, Verdict::kTerm);
  loop_.RunFor(absl::Seconds(11));
  loop_.timers().Refresh();
  outbox_.OnConnection(true);
  EXPECT_EQ(Replies(), (std::vector<std::string>{"ack.1.1"}));
}

TEST_F(OutboxTest, OneAnswerVouchesForAllBefore) {
  outbox_.OnConnection(true);
  for (uint64_t i = 1; i <= Outbox::kFenceEvery; ++i) Send(i, Verdict::kAck);
  ASSERT_EQ(source_.confirmations.size(), 1u);
  EXPECT_EQ(outbox_.unconfirmed(), Outbox::kFenceEvery);
  Confirm();
  EXPECT_EQ(outbox_.unconfirmed(), 0u);
  source_.settled.clear();
  outbox_.OnConnection(false);
  outbox_.OnConnection(true);
  EXPECT_TRUE(source_.settled.empty());
}

TEST_F(OutboxTest, ALostAnswerIsAskedForAgain) {
  outbox_.OnConnection(true);
  for (uint64_t i = 1; i <= Outbox::kFenceEvery; ++i) Send(i, Verdict::kAck);
  Confirm(absl::DeadlineExceededError("no answer"));
  Send(999, Verdict::kAck);
  ASSERT_EQ(source_.confirmations.size(), 2u);
  Confirm();
  EXPECT_EQ(outbox_.unconfirmed(), 0u);
}

TEST_F(OutboxTest, AFenceWaitsForTheServersWordOnTheLastVerdict) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Send(2, Verdict::kAck);
  Fence();
  ASSERT_EQ(source_.confirmations.size(), 1u);
  EXPECT_EQ(source_.confirmations[0].reply, "ack.2.1");
  EXPECT_EQ(source_.confirmations[0].verdict, Verdict::kAck);
  EXPECT_FALSE(fenced_.has_value());
  Confirm();
  EXPECT_EQ(fenced_, 0u);
}

TEST_F(OutboxTest, AFenceBehindANakDoesNotNakAgain) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kNak);
  Fence();
  ASSERT_EQ(source_.confirmations.size(), 1u);
  EXPECT_EQ(source_.confirmations[0].verdict, Verdict::kInProgress);
}

TEST_F(OutboxTest, AFenceWithNothingToConfirmIsOverSoonButNotWithinTheCall) {
  Fence();
  EXPECT_FALSE(fenced_.has_value());
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_EQ(fenced_, 0u);
}

TEST_F(OutboxTest, AFenceGivesUpAtItsDeadlineAndTellsHowManyAreOpen) {
  Send(1, Verdict::kAck);
  Send(2, Verdict::kAck);
  Fence();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(fenced_, 2u);
}

TEST_F(OutboxTest, AFenceTriesAgainUntilItsDeadline) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Fence();
  Confirm(absl::UnavailableError("no responders"));
  loop_.RunFor(absl::Milliseconds(100));
  ASSERT_EQ(source_.confirmations.size(), 2u);
  Confirm();
  EXPECT_EQ(fenced_, 0u);
}

TEST_F(OutboxTest, AFenceOutlastsAReconnect) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Fence();
  outbox_.OnConnection(false);
  Confirm(absl::UnavailableError("disconnected"));
  outbox_.OnConnection(true);
  loop_.RunFor(absl::Milliseconds(100));
  ASSERT_EQ(source_.confirmations.size(), 2u);
  Confirm();
  EXPECT_EQ(fenced_, 0u);
}

}  // namespace
}  // namespace sluice::core
