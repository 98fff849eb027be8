// Handlers and ranges against a daemon played by the test.
#include "sluice/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "client-sdk/cpp/fake_daemon.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FakeDaemon;
using testing::FakeStream;
using ::testing::Field;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Seen = FakeStream::Verdict;

class ClientTest : public ::testing::Test {
 protected:
  // The stream of a new consumption, opened.
  std::shared_ptr<FakeStream> Accept() {
    auto stream = daemon_.Accept();
    stream->Opened();
    return stream;
  }

  FakeDaemon daemon_;
  Client client_{ClientOptions{.address = daemon_.address(), .client_id = "me"}};
};

TEST_F(ClientTest, OpensWithWhatTheOptionsSay) {
  ConsumeOptions options{.concurrency = 100, .max_batch = 7};
  options.credit.bytes = 12345;
  const auto consumption = client_.Consume("orders", options, [](Message&) { return Ack(); });
  const v1::Open open = Accept()->AwaitOpen();
  EXPECT_EQ(open.consumer(), "orders");
  EXPECT_EQ(open.client_id(), "me");
  EXPECT_EQ(open.credit().messages(), 400u);
  EXPECT_EQ(open.credit().bytes(), 12345u);
  EXPECT_EQ(open.max_batch(), 7u);
  EXPECT_EQ(open.resume_size(), 0);
}

TEST_F(ClientTest, ASecondConsumptionOfAConsumerHasAnIdOfItsOwn) {
  const auto first = client_.Consume("orders", [](Message&) { return Ack(); });
  const auto second = client_.Consume("orders", [](Message&) { return Ack(); });
  EXPECT_EQ(first.client_id(), "me");
  EXPECT_EQ(second.client_id(), "me-2");
}

TEST_F(ClientTest, GeneratedIdsDiffer) {
  EXPECT_NE(Client().client_id(), Client().client_id());
  EXPECT_LE(Client().client_id().size(), 128u);
}

TEST_F(ClientTest, TheAddressComesFromTheEnvironmentWhenItIsNotGiven) {
  setenv("SLUICE_ADDRESS", "unix:///elsewhere", 1);
  EXPECT_EQ(Client().address(), "unix:///elsewhere");
  unsetenv("SLUICE_ADDRESS");
  EXPECT_EQ(Client().address(), "unix:///run/sluice/sluice.sock");
}

TEST_F(ClientTest, VerdictsArriveInTheOrderOfTheMessages) {
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

TEST_F(ClientTest, AMessageIsDeliveredExactly) {
  const std::string bytes("\x00\xFF\xC3\x28 any", 8);
  std::promise<void> checked;
  const auto consumption = client_.Consume("orders", [&](Message& m) {
    EXPECT_EQ(m.subject(), bytes);
    EXPECT_EQ(m.data(), bytes);
    EXPECT_EQ(m.key(), "k");
    EXPECT_THAT(m.headers(), ElementsAre(Pair("A", "1"), Pair("b", bytes), Pair("A", "2")));
    EXPECT_EQ(m.header("A"), "1");
    EXPECT_EQ(m.header("a"), std::nullopt);
    EXPECT_EQ(m.stream_sequence(), 10u);
    EXPECT_EQ(m.consumer_sequence(), 11u);
    EXPECT_EQ(m.num_delivered(), 12u);
    EXPECT_EQ(m.num_pending(), 13u);
    EXPECT_EQ(m.timestamp().time_since_epoch(), std::chrono::nanoseconds(5'000'000'007));
    EXPECT_FALSE(m.cancelled());
    EXPECT_GT(m.deadline(), std::chrono::system_clock::now() + std::chrono::minutes(9));
    checked.set_value();
    return Ack();
  });
  Accept()->Deliver(1, 1, [&](v1::Delivery& delivery) {
    delivery.set_subject(bytes);
    delivery.set_data(bytes);
    delivery.set_key("k");
    for (const auto& [name, value] : {std::pair("A", std::string("1")), {"b", bytes}, {"A", "2"}}) {
      v1::Header& header = *delivery.add_headers();
      header.set_name(name);
      header.set_value(value);
    }
    delivery.set_stream_sequence(10);
    delivery.set_consumer_sequence(11);
    delivery.set_num_delivered(12);
    delivery.set_num_pending(13);
    delivery.mutable_timestamp()->set_seconds(5);
    delivery.mutable_timestamp()->set_nanos(7);
  });
  checked.get_future().get();
}

TEST_F(ClientTest, BigPayloadsPass) {
  const std::string payload(20 << 20, 'x');
  std::promise<size_t> size;
  const auto consumption = client_.Consume("orders", [&](Message& m) {
    size.set_value(m.data().size());
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 1, [&](v1::Delivery& delivery) { delivery.set_data(payload); });
  EXPECT_EQ(size.get_future().get(), payload.size());
  stream->AwaitVerdicts(1);
}

TEST_F(ClientTest, QuickVerdictsShareRequests) {
  constexpr int kFrames = 200, kPerFrame = 256;
  const auto consumption = client_.Consume("orders", {.concurrency = 4}, [](Message&) { return Ack(); });
  auto stream = Accept();
  for (int i = 0; i < kFrames; ++i) stream->Deliver(1 + i * kPerFrame, kPerFrame);
  stream->AwaitVerdicts(kFrames * kPerFrame);
  EXPECT_THAT(stream->Count(), ElementsAre(Pair("ack", kFrames * kPerFrame)));
  EXPECT_LT(stream->settle_requests(), kFrames * kPerFrame / 4u);
}

TEST_F(ClientTest, TheCreditFollowsTheHandlers) {
  const auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  auto stream = Accept();
  EXPECT_EQ(stream->AwaitOpen().credit().messages(), 8u);
  uint64_t next = 1;
  for (; stream->credit() <= 8; next += 8) {
    stream->Deliver(next, 8);
    stream->AwaitVerdicts(next + 7);
  }
  EXPECT_LE(stream->credit(), 4096u);
}

TEST_F(ClientTest, AsManyHandlersRunAsAsked) {
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

TEST_F(ClientTest, ASlowHandlerHoldsBackNoNeighbourOfItsFrame) {
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

TEST_F(ClientTest, AHandlerThatThrowsNaksAndIsReported) {
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

TEST_F(ClientTest, AnOwningHandlerSettlesLaterFromAnyThread) {
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

TEST_F(ClientTest, AMessageThatIsDroppedNaks) {
  const auto consumption = client_.Consume("orders", [](Message m) {
    if (m.stream_sequence() == 2) m.Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 3);
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "nak"}, Seen{2, "ack"}, Seen{3, "nak"}));
}

TEST_F(ClientTest, AMessageThatIsOverwrittenNaks) {
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

TEST_F(ClientTest, InProgressIsToldAndNotPiledUp) {
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

TEST_F(ClientTest, AnEndedLeaseIsSeenByTheHandler) {
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

TEST_F(ClientTest, StatesAndFailedVerdictsAreTold) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<State, std::string>> states;
  std::vector<grpc::StatusCode> errors;
  ConsumeOptions options;
  options.on_state = [&](State state, const std::string& detail) {
    std::lock_guard lock(mutex);
    states.emplace_back(state, detail);
    throw std::runtime_error("a hook that throws harms nobody");
  };
  options.on_error = [&](const grpc::Status& status) {
    std::lock_guard lock(mutex);
    errors.push_back(status.error_code());
    changed.notify_all();
  };
  const auto consumption = client_.Consume("orders", options, [](Message&) { return Ack(); });
  auto stream = Accept();
  v1::ConsumeResponse state;
  state.mutable_state()->set_kind(v1::State::KIND_NATS_DOWN);
  state.mutable_state()->set_detail("no route");
  stream->Write(state);
  v1::ConsumeResponse results;
  for (const auto outcome : {v1::SettleResult::OUTCOME_LATE, v1::SettleResult::OUTCOME_NOT_HELD,
                             v1::SettleResult::OUTCOME_FAILED, v1::SettleResult::OUTCOME_CONFIRMED}) {
    v1::SettleResult& result = *results.mutable_settle_results()->add_results();
    result.set_outcome(outcome);
    result.add_ids(1);
  }
  stream->Write(results);
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return errors.size() >= 3; });
  EXPECT_THAT(states, ElementsAre(Pair(State::kConnecting, ""), Pair(State::kNatsDown, "no route")));
  EXPECT_THAT(errors, ElementsAre(grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::NOT_FOUND,
                                  grpc::StatusCode::UNAVAILABLE));
  EXPECT_EQ(consumption.stats().late + consumption.stats().not_held + consumption.stats().failed, 3u);
}

TEST_F(ClientTest, APermanentErrorEndsIt) {
  std::promise<grpc::Status> reported;
  ConsumeOptions options{.on_error = [&](const grpc::Status& status) { reported.set_value(status); }};
  auto consumption = client_.Consume("ordres", options, [](Message&) { return Ack(); });
  daemon_.Accept()->Finish({grpc::StatusCode::NOT_FOUND, "no consumer \"ordres\"; there is: orders"});
  EXPECT_EQ(consumption.Closed().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(reported.get_future().get().error_message(), HasSubstr("there is: orders"));
  EXPECT_TRUE(consumption.is_closed());
}

TEST_F(ClientTest, ARangeGivesTheMessagesAndNaksWhatGetsNoVerdict) {
  auto messages = client_.Messages("orders");
  auto stream = Accept();
  stream->Deliver(1, 3);
  std::vector<uint64_t> seen;
  std::optional<Message> kept;
  for (Message& m : messages) {
    seen.push_back(m.stream_sequence());
    if (m.stream_sequence() == 1) m.Ack();
    if (m.stream_sequence() == 3) {
      kept.emplace(std::move(m));
      break;
    }
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{1, "ack"}, Seen{2, "nak"}));
  kept->Ack();
  EXPECT_EQ(stream->AwaitVerdicts(3).back(), (Seen{3, "ack"}));
}

TEST_F(ClientTest, ARangeEndsWithItsConsumption) {
  auto messages = client_.Messages("orders");
  auto loop = std::async(std::launch::async, [&] {
    int count = 0;
    for (Message& m : messages) count += m.Ack();
    return count;
  });
  auto stream = Accept();
  stream->Deliver(1, 5);
  stream->AwaitVerdicts(5);
  client_.Stop();
  EXPECT_EQ(loop.get(), 5);
  EXPECT_TRUE(messages.Closed().ok());
}

TEST_F(ClientTest, SeveralLoopsShareARange) {
  auto messages = client_.Messages("orders");
  std::latch both(2);
  const auto loop = [&] {
    for (Message& m : messages) {
      if (m.stream_sequence() <= 2) both.arrive_and_wait();  // one of the two each
      m.Ack();
    }
  };
  std::thread one(loop), other(loop);
  auto stream = Accept();
  stream->Deliver(1, 2);
  stream->AwaitVerdicts(2);
  messages.Stop();
  one.join();
  other.join();
}

TEST_F(ClientTest, StoppingHandsBackAndDropsLaterVerdicts) {
  std::promise<Message> running;
  auto consumption = client_.Consume("orders", [&](Message m) { running.set_value(std::move(m)); });
  auto stream = Accept();
  stream->Deliver(1);
  Message message = running.get_future().get();
  consumption.Stop();
  stream->AwaitHalfClose();
  EXPECT_TRUE(consumption.Closed().ok());
  EXPECT_TRUE(message.cancelled());
  EXPECT_TRUE(message.Ack());
  EXPECT_THAT(stream->Count(), ::testing::IsEmpty());
}

TEST_F(ClientTest, VerdictsGivenBeforeTheStopArrive) {
  std::promise<void> done;
  auto consumption = client_.Consume("orders", [&](Message m) {
    m.Ack();
    if (m.stream_sequence() == 200) done.set_value();
  });
  auto stream = Accept();
  stream->Deliver(1, 200);
  done.get_future().get();
  consumption.Stop();
  EXPECT_THAT(stream->Count(), ElementsAre(Pair("ack", 200)));
}

TEST_F(ClientTest, AMessageMayOutliveEverything) {
  std::promise<Message> kept;
  auto client = std::make_unique<Client>(ClientOptions{.address = daemon_.address()});
  auto consumption =
      std::make_unique<Consumption>(client->Consume("orders", [&](Message m) { kept.set_value(std::move(m)); }));
  Accept()->Deliver(1);
  Message message = kept.get_future().get();
  client.reset();
  consumption.reset();
  EXPECT_EQ(message.data(), "data 1");
  EXPECT_TRUE(message.cancelled());
}

TEST_F(ClientTest, StoppingWhileThereIsNoDaemonReturns) {
  daemon_.Kill();
  auto consumption = client_.Consume("orders", [](Message&) { return Ack(); });
  consumption.Stop();
  EXPECT_TRUE(consumption.Closed().ok());
}

}  // namespace
}  // namespace sluice
