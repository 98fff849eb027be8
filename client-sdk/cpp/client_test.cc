// What a client opens, delivers and ends, against a daemon played by the test.
#include <chrono>
#include <functional>
#include <future>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FakeStream;
using ::testing::HasSubstr;
using ::testing::Pair;

class ClientTest : public testing::ClientTest {};

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

TEST_F(ClientTest, AVerdictWaitsForNoOtherHandler) {
  std::promise<void> told;
  auto both_told = told.get_future();
  const auto consumption = client_.Consume("orders", {.credit = {.messages = 4096}}, [&](Message& m) {
    if (m.stream_sequence() == 3) both_told.wait();
    return Ack();
  });
  auto stream = Accept();
  stream->Deliver(1, 4);  // the first two are done at once; the third is at work until they are told
  stream->AwaitVerdicts(2);
  told.set_value();
  stream->AwaitVerdicts(4);
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

// An app that keeps two of its messages all the time, so that its one handler always finds some held; and the credit it
// asks for, after a while of which each 50 ms say something about it.
class KeepingTest : public ClientTest {
 protected:
  uint32_t CreditAfterAWhile(const std::function<void(v1::Delivery&)>& change) {
    std::vector<Message> kept;  // by the one handler
    const auto consumption = client_.Consume("orders", [&](Message m) {
      if (m.stream_sequence() <= 2) {
        kept.push_back(std::move(m));
      } else {
        m.Ack();
      }
    });
    auto stream = Accept();
    stream->Deliver(1, 2, change);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    for (int next = 3; std::chrono::steady_clock::now() < end && stream->credit() <= 8; next += 8) {
      stream->Deliver(next, 8, change);
      stream->AwaitVerdicts(next + 5);
    }
    return stream->credit();
  }
};

TEST_F(KeepingTest, TheCreditDoesNotGrowWhileNoHandlerWaits) { EXPECT_EQ(CreditAfterAWhile({}), 8u); }

// With keys, what is held may be what nobody may begin.
TEST_F(KeepingTest, TheCreditGrowsWhereMessagesMayWaitForTheirKey) {
  EXPECT_GT(CreditAfterAWhile([](v1::Delivery& delivery) { delivery.set_key(std::to_string(delivery.id())); }), 8u);
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
