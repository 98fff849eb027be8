// The outcome of verdicts.
#include <future>
#include <map>
#include <mutex>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using std::chrono::seconds;
using testing::Await;
using ::testing::ElementsAre;
using testing::FakeStream;
using ::testing::Pair;
using Seen = FakeStream::Verdict;

class ConfirmTest : public testing::ClientTest {
 protected:
  static void Answer(FakeStream& stream, v1::SettleResult::Outcome outcome, std::initializer_list<uint64_t> ids) {
    v1::ConsumeResponse response;
    v1::SettleResult& result = *response.mutable_settle_results()->add_results();
    result.set_outcome(outcome);
    for (const uint64_t id : ids) result.add_ids(id);
    stream.Write(std::move(response));
  }
  // A message that its handler has handed over to the test.
  Message Take() { return Await(taken_.get_future()); }

  std::promise<Message> taken_;
};

TEST_F(ConfirmTest, IsAskedForOnlyWhenItIsWanted) {
  const auto plain = client_.Consume("orders", [](Message&) {});
  EXPECT_FALSE(Accept()->AwaitOpen().confirm_settlements());
  const auto confirming = client_.Consume("orders", {.confirm = true}, [](Message&) {});
  EXPECT_TRUE(Accept()->AwaitOpen().confirm_settlements());
}

TEST_F(ConfirmTest, AVerdictCanBeAwaited) {
  const auto consumption =
      client_.Consume("orders", {.confirm = true}, [&](Message m) { taken_.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  Message message = Take();
  std::future<Outcome> outcome = message.Confirm(Ack());
  EXPECT_THAT(stream->AwaitVerdicts(1), ElementsAre(Seen{1, "ack"}));
  EXPECT_EQ(outcome.wait_for(seconds(0)), std::future_status::timeout);
  Answer(*stream, v1::SettleResult::OUTCOME_CONFIRMED, {1});
  EXPECT_EQ(Await(std::move(outcome)), Outcome::kConfirmed);
  EXPECT_EQ(Await(message.Confirm(Nak())), Outcome::kNotHeld) << "only the first verdict counts";
}

TEST_F(ConfirmTest, EveryOutcomeIsTold) {
  std::mutex mutex;
  std::map<uint64_t, Outcome> outcomes;
  std::promise<void> all;
  ConsumeOptions options{.confirm = true};
  options.on_outcome = [&](uint64_t sequence, Outcome outcome) {
    std::lock_guard lock(mutex);
    outcomes[sequence] = outcome;
    if (outcomes.size() == 4) all.set_value();
  };
  const auto consumption = client_.Consume("orders", options, [](Message&) {});
  auto stream = Accept();
  stream->Deliver(1, 4);
  stream->AwaitVerdicts(4);
  Answer(*stream, v1::SettleResult::OUTCOME_FAILED, {4});
  Answer(*stream, v1::SettleResult::OUTCOME_LATE, {2});
  Answer(*stream, v1::SettleResult::OUTCOME_NOT_HELD, {3});
  Answer(*stream, v1::SettleResult::OUTCOME_CONFIRMED, {1});
  Await(all.get_future());
  EXPECT_THAT(outcomes, ElementsAre(Pair(1, Outcome::kConfirmed), Pair(2, Outcome::kLate), Pair(3, Outcome::kNotHeld),
                                    Pair(4, Outcome::kFailed)));
}

TEST_F(ConfirmTest, AVerdictThatIsSentAgainIsAwaitedOnTheNewStream) {
  const auto consumption =
      client_.Consume("orders", {.confirm = true}, [&](Message m) { taken_.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  std::future<Outcome> outcome = Take().Confirm(Ack());
  stream->AwaitVerdicts(1);
  stream->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  auto next = daemon_.Accept();
  next->Opened({{1, 9}});
  EXPECT_THAT(next->AwaitVerdicts(1), ElementsAre(Seen{9, "ack"}));
  Answer(*next, v1::SettleResult::OUTCOME_CONFIRMED, {9});
  EXPECT_EQ(Await(std::move(outcome)), Outcome::kConfirmed);
}

TEST_F(ConfirmTest, AVerdictThatIsLostWithItsStreamHasFailed) {
  const auto consumption =
      client_.Consume("orders", {.confirm = true}, [&](Message m) { taken_.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  std::future<Outcome> outcome = Take().Confirm(Ack());
  stream->AwaitVerdicts(1);
  stream->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  Accept();
  EXPECT_EQ(Await(std::move(outcome)), Outcome::kFailed);
}

TEST_F(ConfirmTest, NothingIsAwaitedBeyondTheEnd) {
  auto consumption = client_.Consume("orders", {.confirm = true}, [&](Message m) { taken_.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  Message message = Take();
  consumption.Stop();
  EXPECT_EQ(Await(message.Confirm(Ack())), Outcome::kFailed);
}

TEST_F(ConfirmTest, WithoutTheOptionItSaysSo) {
  const auto consumption = client_.Consume("orders", [&](Message m) { taken_.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  Message message = Take();
  EXPECT_THROW((void)message.Confirm(Ack()), std::logic_error);
  EXPECT_TRUE(message.Ack()) << "it has no verdict yet";
}

}  // namespace
}  // namespace sluice
