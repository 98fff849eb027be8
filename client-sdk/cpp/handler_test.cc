// What handlers return, throw, own and let go of.
#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using testing::Await;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FakeStream;
using ::testing::Field;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Seen = FakeStream::Verdict;

class HandlerTest : public testing::ClientTest {};

TEST_F(HandlerTest, VerdictsArriveInTheOrderOfTheMessages) {
  const auto consumption = client_.Consume("orders", [](Message& m) {
    switch (m.stream_sequence()) {
      case 1:
        return Ack();
      case 2:
        return Nak(milliseconds(1500));
      case 3:
        return Term("bad order");
      default:
        return Nak();
    }
  });
  auto stream = Accept();
  stream->Deliver(1, 4);
  EXPECT_THAT(stream->AwaitVerdicts(4),
              ElementsAre(Seen{1, "ack"}, Seen{2, "nak 1500"}, Seen{3, "term bad order"}, Seen{4, "nak"}));
}

TEST_F(HandlerTest, AsManyHandlersRunAsAsked) {
  std::latch together(8);
  std::atomic<int> running{0}, most{0};
  const auto consumption = client_.Consume("orders", {.concurrency = 8}, [&](Message& m) {
    const int now = ++running;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
    if (m.stream_sequence() <= 8) together.arrive_and_wait();  // hangs unless eight run at once
    --running;
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 40);
  stream->AwaitVerdicts(40);
  EXPECT_EQ(most, 8);
}

TEST_F(HandlerTest, ASlowHandlerHoldsBackNoNeighbourOfItsFrame) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  const auto consumption = client_.Consume("orders", {.concurrency = 2}, [&](Message& m) {
    if (m.stream_sequence() == 1) released.wait();
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 100);
  EXPECT_THAT(stream->AwaitVerdicts(99), Each(Field(&Seen::id, Ge(2u)))) << "a verdict waited behind a handler";
  release.set_value();
  stream->AwaitVerdicts(100);
}

TEST_F(HandlerTest, AHandlerThatThrowsNaksAndIsReported) {
  std::promise<grpc::Status> reported;
  ConsumeOptions options{.on_error = [&](const grpc::Status& status) { reported.set_value(status); }};
  const auto consumption = client_.Consume("orders", options, [](Message& m) -> Verdict {
    if (m.stream_sequence() == 1) throw std::runtime_error("out of ink");
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 2);
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{1, "nak"}, Seen{2, "ack"}));
  const grpc::Status status = reported.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("out of ink"));
  EXPECT_EQ(consumption.stats().thrown, 1u);
}

TEST_F(HandlerTest, AnOwningHandlerSettlesLaterFromAnyThread) {
  std::mutex mutex;
  std::vector<Message> kept;
  const auto consumption = client_.Consume("orders", [&](Message m) {
    std::lock_guard lock(mutex);
    kept.push_back(std::move(m));
  });
  auto stream = Accept();
  stream->Deliver(1, 3);
  std::thread([&] {
    for (size_t settled = 0; settled < 3;) {
      std::lock_guard lock(mutex);
      for (; settled < kept.size(); ++settled) {
        EXPECT_TRUE(kept[settled].Term("late"));
        EXPECT_FALSE(kept[settled].Ack()) << "only the first verdict counts";
      }
    }
  }).join();
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "term late"}, Seen{2, "term late"}, Seen{3, "term late"}));
}

TEST_F(HandlerTest, AMessageThatIsDroppedNaks) {
  const auto consumption = client_.Consume("orders", [](Message m) {
    if (m.stream_sequence() == 2) m.Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 3);
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "nak"}, Seen{2, "ack"}, Seen{3, "nak"}));
}

TEST_F(HandlerTest, AMessageThatIsOverwrittenNaks) {
  std::optional<Message> last;
  auto consumption = client_.Consume("orders", [&](Message m) {
    if (last) {
      *last = std::move(m);
    } else {
      last.emplace(std::move(m));
    }
  });
  auto stream = Accept();
  stream->Deliver(1, 2);
  EXPECT_THAT(stream->AwaitVerdicts(1), ElementsAre(Seen{1, "nak"}));
}

TEST_F(HandlerTest, InProgressIsToldAndNotPiledUp) {
  const auto consumption = client_.Consume("orders", [](Message& m) {
    for (int i = 0; i < 10'000; ++i) m.InProgress();
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1);
  std::vector<Seen> verdicts = stream->AwaitVerdicts(2);
  while (verdicts.back().what != "ack") verdicts = stream->AwaitVerdicts(verdicts.size() + 1);
  EXPECT_EQ(verdicts.front(), (Seen{1, "in_progress"}));
  EXPECT_LT(verdicts.size(), 5'000u);
}

TEST_F(HandlerTest, AnEndedLeaseIsSeenByTheHandler) {
  std::promise<void> started;  // what no handler has yet would be dropped
  std::promise<void> cancelled;
  const auto consumption = client_.Consume("orders", [&](Message& m) {
    started.set_value();
    while (!m.cancelled()) std::this_thread::yield();
    cancelled.set_value();
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1);
  started.get_future().get();
  v1::ConsumeResponse ended;
  ended.mutable_leases_ended()->add_ids(1);
  stream->Write(ended);
  cancelled.get_future().get();
  EXPECT_THAT(stream->AwaitVerdicts(1), ElementsAre(Seen{1, "ack"}));
}

TEST_F(HandlerTest, ReturningAcks) {
  const auto consumption = client_.Consume("orders", [](Message& m) {
    if (m.stream_sequence() == 2) m.Term("before");  // the first verdict counts
  });
  auto stream = Accept();
  stream->Deliver(1, 3);
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "ack"}, Seen{2, "term before"}, Seen{3, "ack"}));
}

TEST_F(HandlerTest, VerdictsMayBeThrownAndReturned) {
  const auto consumption = client_.Consume("orders", [](Message& m) -> Verdict {
    switch (m.stream_sequence()) {
      case 1:
        throw RetryAfter(milliseconds(1500));
      case 2:
        throw Reject("bad order");
      case 3:
        return RetryAfter(milliseconds(20));
      case 4:
        return Reject("worse");
      default:
        return Ack();
    }
  });
  auto stream = Accept();
  stream->Deliver(1, 5);
  EXPECT_THAT(stream->AwaitVerdicts(5), ElementsAre(Seen{1, "nak 1500"}, Seen{2, "term bad order"}, Seen{3, "nak 20"},
                                                    Seen{4, "term worse"}, Seen{5, "ack"}));
  EXPECT_EQ(consumption.stats().thrown, 0u) << "a verdict is no failure";
}

TEST_F(HandlerTest, AVerdictThrownByAnOwnerThatLetGoCountsAsFailure) {
  const auto consumption = client_.Consume("orders", [](Message m) {
    const Message gone = std::move(m);
    throw Reject("too late: the message is gone");
  });
  auto stream = Accept();
  stream->Deliver(1);
  EXPECT_THAT(stream->AwaitVerdicts(1), ElementsAre(Seen{1, "nak"}));
  while (consumption.stats().thrown == 0) std::this_thread::yield();
}

TEST_F(HandlerTest, WhatWaitsOnACancelledMessageIsWoken) {
  std::promise<void> started;
  std::promise<bool> woken;
  const auto consumption = client_.Consume("orders", [&](Message& m) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    const std::stop_token token = m.stop_token();
    started.set_value();
    never.wait(lock, token, [] { return false; });
    woken.set_value(m.cancelled());
  });
  auto stream = Accept();
  stream->Deliver(1);
  Await(started.get_future());
  v1::ConsumeResponse ended;
  ended.mutable_leases_ended()->add_ids(1);
  stream->Write(ended);
  EXPECT_TRUE(Await(woken.get_future()));
  stream->AwaitVerdicts(1);
}

TEST_F(HandlerTest, ATokenOfWhatIsCancelledAlreadyIsStopped) {
  std::promise<Message> kept;
  auto consumption = client_.Consume("orders", [&](Message m) { kept.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  const Message message = Await(kept.get_future());
  EXPECT_FALSE(message.stop_token().stop_requested());
  consumption.Stop();
  EXPECT_TRUE(message.stop_token().stop_requested());
}

// --- batches ---

// Takes what a test pushes while it holds the first batch.
class BatchTest : public testing::ClientTest {};

TEST_F(BatchTest, ReturningAcksAllThatHaveNoVerdict) {
  const auto consumption = client_.ConsumeBatches("orders", {}, [](Batch batch) {
    for (Message& m : batch) {
      if (m.stream_sequence() == 2) m.Nak();
    }
  });
  auto stream = Accept();
  stream->Deliver(1, 100);
  stream->AwaitVerdicts(100);
  EXPECT_THAT(stream->Count(), ElementsAre(Pair("ack", 99), Pair("nak", 1)));
  EXPECT_LE(stream->settle_requests(), 3u) << "a batch goes out together";
}

TEST_F(BatchTest, ABatchIsInOrderAndNotLargerThanAsked) {
  std::mutex mutex;
  std::vector<uint64_t> seen;
  size_t largest = 0;
  const auto consumption = client_.ConsumeBatches("orders", {.max_batch = 7}, [&](Batch batch) {
    std::lock_guard lock(mutex);
    largest = std::max(largest, batch.size());
    for (const Message& m : batch) seen.push_back(m.stream_sequence());
  });
  auto stream = Accept();
  stream->Deliver(1, 50);
  stream->AwaitVerdicts(50);
  std::lock_guard lock(mutex);
  std::vector<uint64_t> all(50);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(seen, all);
  EXPECT_EQ(largest, 7u);
}

TEST_F(BatchTest, WhatIsReturnedOrThrownCountsForTheRest) {
  const auto consumption = client_.ConsumeBatches("orders", {.max_batch = 3}, [](Batch batch) -> Verdict {
    batch.back().Ack();
    switch (batch.front().stream_sequence()) {
      case 1:
        return Nak();
      case 4:
        throw RetryAfter(milliseconds(250));
      case 7:
        throw Reject("all of them");
      default:
        throw std::runtime_error("out of ink");
    }
  });
  auto stream = Accept();
  stream->Deliver(1, 12);
  stream->AwaitVerdicts(12);
  EXPECT_THAT(stream->Count(),
              UnorderedElementsAre(Pair("ack", 4), Pair("nak", 4), Pair("nak 250", 2), Pair("term all of them", 2)));
  while (consumption.stats().thrown == 0) std::this_thread::yield();
  EXPECT_EQ(consumption.stats().thrown, 1u);
}

TEST_F(BatchTest, AMessageThatIsMovedAwayIsItsNewOwners) {
  std::promise<Message> kept;
  const auto consumption = client_.ConsumeBatches("orders", {}, [&](Batch batch) {
    if (batch[0].stream_sequence() == 1) kept.set_value(std::move(batch[0]));
  });
  auto stream = Accept();
  stream->Deliver(1, 3);
  EXPECT_THAT(stream->AwaitVerdicts(2), UnorderedElementsAre(Seen{2, "ack"}, Seen{3, "ack"}));
  Await(kept.get_future()).Term("mine");
  EXPECT_EQ(stream->AwaitVerdicts(3).back(), (Seen{1, "term mine"}));
}

}  // namespace
}  // namespace sluice
