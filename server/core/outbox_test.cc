#include "core/outbox.h"

#include <optional>

#include <gtest/gtest.h>

#include "test/support/scripted_source.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

class OutboxTest : public testing::Test, public Outbox::Owner {
 protected:
  void Send(uint64_t sequence, Verdict verdict, absl::Duration nak_delay = absl::ZeroDuration()) {
    Delivery delivery;
    delivery.message = test::MakeMessage(sequence);
    delivery.ack_deadline = loop_.now() + absl::Seconds(10);
    outbox_.Send(delivery, {verdict, nak_delay, {}});
  }
  void SendClaimed(uint64_t session, uint64_t id, Verdict verdict) {
    Delivery delivery;
    delivery.message = test::MakeMessage(id);
    delivery.ack_deadline = loop_.now() + absl::Seconds(10);
    outbox_.Send(delivery, {verdict, absl::ZeroDuration(), {}}, {session, id});
  }
  void OnResults(uint64_t session, SettleOutcome outcome, std::vector<uint64_t> ids, std::string detail) override {
    results_.push_back({session, outcome, std::move(ids)});
    detail_ = std::move(detail);
  }
  void Fence() {
    outbox_.Fence(loop_.now() + absl::Seconds(1), [this](uint64_t unconfirmed) {
      fenced_ = unconfirmed;
      fenced_results_ = results_.size();
    });
  }
  // The i-th question of all.
  void AnswerClaim(size_t i, const absl::Status& status = absl::OkStatus()) {
    outbox_.OnConfirmed(source_.confirmations[i].tag, status);
  }
  void Turn() { loop_.RunFor(absl::Microseconds(1)); }
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
  Outbox outbox_{&loop_.timers(), &source_, this, 1};
  struct Result {
    uint64_t session;
    SettleOutcome outcome;
    std::vector<uint64_t> ids;
    bool operator==(const Result&) const = default;
  };
  std::vector<Result> results_;
  std::string detail_;
  size_t fenced_results_ = 0;
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
  loop_.RunFor(absl::Milliseconds(100));
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

TEST_F(OutboxTest, AFenceBehindANakTouchesNoMessage) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kNak);
  Fence();
  ASSERT_EQ(source_.confirmations.size(), 1u);
  EXPECT_TRUE(source_.confirmations[0].is_fence);
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

// --- claims ---

TEST_F(OutboxTest, AClaimEndsWithTheServersWordOnThatVeryVerdict) {
  outbox_.OnConnection(true);
  SendClaimed(1, 11, Verdict::kAck);
  SendClaimed(2, 12, Verdict::kTerm);
  SendClaimed(1, 13, Verdict::kNak);
  ASSERT_EQ(source_.confirmations.size(), 3u);
  EXPECT_EQ(source_.confirmations[2].verdict, Verdict::kNak);
  EXPECT_TRUE(source_.settled.empty());
  AnswerClaim(2);
  AnswerClaim(1);
  EXPECT_TRUE(results_.empty()) << "all of one turn of the loop together";
  Turn();
  EXPECT_EQ(results_,
            (std::vector<Result>{{1, SettleOutcome::kConfirmed, {13}}, {2, SettleOutcome::kConfirmed, {12}}}));
  EXPECT_EQ(outbox_.unconfirmed(), 3u) << "a leader that changed may have lost the first";
  AnswerClaim(0);
  Turn();
  EXPECT_EQ(results_.back(), (Result{1, SettleOutcome::kConfirmed, {11}}));
  EXPECT_EQ(outbox_.unconfirmed(), 0u);
}

TEST_F(OutboxTest, TheAnswerToAClaimVouchesForTheUnclaimedBefore) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  SendClaimed(1, 2, Verdict::kAck);
  Fence();
  AnswerClaim(0);
  EXPECT_EQ(outbox_.unconfirmed(), 0u);
  EXPECT_EQ(fenced_, 0u);
}

TEST_F(OutboxTest, AFenceWaitsForClaimsAndTheirResultsComeFirst) {
  outbox_.OnConnection(true);
  SendClaimed(1, 1, Verdict::kAck);
  Send(2, Verdict::kAck);
  Fence();
  Confirm();
  EXPECT_FALSE(fenced_.has_value());
  fenced_results_ = 99;
  AnswerClaim(0);
  EXPECT_EQ(fenced_, 0u);
  EXPECT_EQ(fenced_results_, 1u);
}

TEST_F(OutboxTest, AClaimWithoutAnAnswerIsSentAgain) {
  outbox_.OnConnection(true);
  SendClaimed(1, 1, Verdict::kAck);
  AnswerClaim(0, absl::DeadlineExceededError("no answer"));
  loop_.RunFor(absl::Milliseconds(100));
  ASSERT_EQ(source_.confirmations.size(), 2u);
  AnswerClaim(1);
  Turn();
  EXPECT_EQ(results_, (std::vector<Result>{{1, SettleOutcome::kConfirmed, {1}}}));
}

TEST_F(OutboxTest, AClaimOutlivesTheConnection) {
  SendClaimed(1, 1, Verdict::kAck);
  EXPECT_TRUE(source_.confirmations.empty());
  outbox_.OnConnection(true);
  outbox_.OnConnection(false);
  AnswerClaim(0, absl::UnavailableError("the connection is gone"));
  outbox_.OnConnection(true);
  Turn();
  EXPECT_TRUE(results_.empty());
  ASSERT_GE(source_.confirmations.size(), 2u);
  outbox_.OnConfirmed(source_.confirmations[0].tag, absl::OkStatus());
  Turn();
  EXPECT_EQ(results_, (std::vector<Result>{{1, SettleOutcome::kConfirmed, {1}}}));
}

TEST_F(OutboxTest, AClaimOnWhatIsNotSafeToRepeatFails) {
  outbox_.OnConnection(true);
  SendClaimed(1, 1, Verdict::kNak);
  SendClaimed(1, 2, Verdict::kNak);
  AnswerClaim(1, absl::DeadlineExceededError("no answer"));
  Turn();
  EXPECT_EQ(results_, (std::vector<Result>{{1, SettleOutcome::kFailed, {2}}}));
  outbox_.OnConnection(false);
  outbox_.OnConnection(true);
  Turn();
  EXPECT_EQ(results_.back(), (Result{1, SettleOutcome::kFailed, {1}}));
}

TEST_F(OutboxTest, AClaimFailsWhenTheAckWaitIsOver) {
  outbox_.OnConnection(true);
  SendClaimed(1, 1, Verdict::kAck);
  loop_.RunFor(absl::Seconds(11));
  loop_.timers().Refresh();
  AnswerClaim(0, absl::UnavailableError("no responders"));
  Turn();
  EXPECT_EQ(results_, (std::vector<Result>{{1, SettleOutcome::kFailed, {1}}}));
  EXPECT_NE(detail_.find("no responders"), std::string::npos);
}

TEST_F(OutboxTest, ClaimsOfOneSessionFailAlone) {
  outbox_.OnConnection(true);
  SendClaimed(1, 1, Verdict::kAck);
  SendClaimed(2, 2, Verdict::kAck);
  outbox_.FailClaims(1, "over");
  EXPECT_EQ(results_, (std::vector<Result>{{1, SettleOutcome::kFailed, {1}}}));
  outbox_.FailClaims(0, "over");
  EXPECT_EQ(results_.back(), (Result{2, SettleOutcome::kFailed, {2}}));
}

TEST_F(OutboxTest, AQuestionWithoutAnAnswerSendsTheAcksAgain) {
  outbox_.OnConnection(true);
  Send(1, Verdict::kAck);
  Send(2, Verdict::kNak);
  Fence();
  source_.settled.clear();
  Confirm(absl::UnavailableError("no responders: the leader changes"));
  loop_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(Replies(), (std::vector<std::string>{"ack.1.1"}));
}

TEST_F(OutboxTest, MeasuresHowLongTheServerTakes) {
  outbox_.OnConnection(true);
  SendClaimed(7, 1, Verdict::kAck);
  loop_.RunFor(absl::Milliseconds(30));
  AnswerClaim(0, absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(outbox_.ack_duration().sum(), absl::ZeroDuration()) << "only what was answered";
  loop_.RunFor(absl::Milliseconds(100));
  ASSERT_EQ(source_.confirmations.size(), 2u) << "asked again";
  const absl::Time asked = loop_.now();
  loop_.RunFor(absl::Milliseconds(20));
  AnswerClaim(1);
  EXPECT_LE(outbox_.ack_duration().sum(), loop_.now() - asked + absl::Milliseconds(100));
  const absl::Duration before = outbox_.ack_duration().sum();
  EXPECT_GE(before, absl::Milliseconds(20));

  Send(2, Verdict::kAck);
  Fence();
  loop_.RunFor(absl::Milliseconds(40));
  Confirm();
  EXPECT_EQ(outbox_.ack_duration().sum(), before + absl::Milliseconds(40));
}

}  // namespace
}  // namespace sluice::core
