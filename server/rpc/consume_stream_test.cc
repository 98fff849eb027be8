#include "rpc/consume_stream.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/raw_call.h"
#include "rpc/server.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAreArray;

constexpr char kConsume[] = "/sluice.v1.ConsumerService/Consume";

v1::Open OpenAs(const std::string& client_id) {
  v1::Open open;
  open.set_client_id(client_id);
  return open;
}

v1::ConsumeRequest Credit(uint32_t messages) {
  v1::ConsumeRequest request;
  request.mutable_credit()->set_messages(messages);
  return request;
}

class ConsumeStreamTest : public ::testing::Test {
 protected:
  ::testing::AssertionResult EventuallyVerdicts(size_t count) {
    return daemon_.Eventually(
        [=](core::Daemon&, test::FakeMessageSource& source) { return source.verdicts().size() >= count; });
  }
  std::vector<core::Verdict> Verdicts() {
    return daemon_.OnLoop([](core::Daemon&, test::FakeMessageSource& source) {
      std::vector<core::Verdict> verdicts;
      for (const auto& verdict : source.verdicts()) verdicts.push_back(verdict.verdict);
      return verdicts;
    });
  }

  TestDaemon daemon_;
};

TEST_F(ConsumeStreamTest, DeliversAndSettles) {
  TestStream stream(daemon_.Connect());
  const v1::Opened opened = stream.Open();
  EXPECT_EQ(opened.server(), "sluice/1.2.3");
  EXPECT_EQ(opened.stream(), "ORDERS");
  EXPECT_EQ(opened.durable(), "worker");
  EXPECT_EQ(opened.credit().messages(), 256);

  daemon_.Publish(4);
  const std::vector<v1::Delivery> deliveries = stream.ReadDeliveries(4);
  EXPECT_EQ(deliveries[3].data(), "message 3");
  EXPECT_EQ(deliveries[3].stream_sequence(), 4);

  v1::ConsumeRequest request;
  auto add = [&](int i) {
    v1::SettleRun* run = request.mutable_settle()->add_runs();
    run->add_ids(deliveries[i].id());
    return run;
  };
  add(0)->mutable_ack();
  add(1)->mutable_nak()->mutable_delay()->set_seconds(3);
  add(2)->mutable_term()->set_reason("no such order");
  add(3)->mutable_ack();
  stream.Send(request);
  ASSERT_TRUE(EventuallyVerdicts(4));
  daemon_.OnLoop([](core::Daemon&, test::FakeMessageSource& source) {
    const auto& verdicts = source.verdicts();
    EXPECT_EQ(verdicts[0].verdict, core::Verdict::kAck);
    EXPECT_EQ(verdicts[1].verdict, core::Verdict::kNak);
    EXPECT_EQ(verdicts[1].nak_delay, absl::Seconds(3));
    EXPECT_EQ(verdicts[2].verdict, core::Verdict::kTerm);
    EXPECT_EQ(verdicts[2].term_reason, "no such order");
    EXPECT_EQ(verdicts[3].stream_sequence, 4);
  });
}

TEST_F(ConsumeStreamTest, WorksOverTcp) {
  TestStream stream(daemon_.Connect(daemon_.tcp_address()));
  stream.Open();
  daemon_.Publish(1);
  EXPECT_THAT(stream.ReadDeliveries(1), SizeIs(1));
}

TEST_F(ConsumeStreamTest, DeliversEveryByte) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  test::FakeMessageSource::Content many_headers{"h", {}, ""};
  for (int i = 0; i < 4096; ++i) many_headers.headers.emplace_back(absl::StrCat("Name-", i), all_bytes);
  const std::string large(16 << 20, '\xff');

  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish({{all_bytes, {{all_bytes, all_bytes}, {"k", ""}}, all_bytes},
                   {"", {}, ""},
                   many_headers,
                   {"large", {}, large},
                   {"after", {}, "x"}});
  std::vector<v1::Delivery> deliveries;
  while (deliveries.size() < 5 && !HasFailure()) {
    // The large one exceeds the credit: it comes when the stream holds nothing else.
    const std::vector<v1::Delivery> more = stream.ReadDeliveries(1);
    stream.Ack(Ids(more));
    deliveries.insert(deliveries.end(), more.begin(), more.end());
  }
  ASSERT_EQ(deliveries.size(), 5);
  EXPECT_EQ(deliveries[0].subject(), all_bytes);
  ASSERT_EQ(deliveries[0].headers_size(), 2);
  EXPECT_EQ(deliveries[0].headers(0).name(), all_bytes);
  EXPECT_EQ(deliveries[0].headers(0).value(), all_bytes);
  EXPECT_EQ(deliveries[0].data(), all_bytes);
  EXPECT_EQ(deliveries[1].subject() + deliveries[1].data(), "");
  ASSERT_EQ(deliveries[2].headers_size(), 4096);
  EXPECT_EQ(deliveries[2].headers(4095).name(), "Name-4095");
  EXPECT_EQ(deliveries[2].headers(4095).value(), all_bytes);
  EXPECT_TRUE(deliveries[3].data() == large);
  EXPECT_EQ(deliveries[4].data(), "x");
}

TEST_F(ConsumeStreamTest, AVerdictOnWhatIsNotHeldIsAnsweredById) {
  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish(1);
  const std::vector<uint64_t> ids = Ids(stream.ReadDeliveries(1));
  stream.Ack({ids[0], ids[0], uint64_t{1} << 63});
  const v1::SettleResults results = stream.Expect(v1::ConsumeResponse::kSettleResults).settle_results();
  ASSERT_EQ(results.results_size(), 1);
  EXPECT_EQ(results.results(0).outcome(), v1::SettleResult::OUTCOME_NOT_HELD);
  EXPECT_THAT(results.results(0).ids(), ElementsAre(ids[0], uint64_t{1} << 63));
  EXPECT_THAT(Verdicts(), ElementsAre(core::Verdict::kAck));
}

TEST_F(ConsumeStreamTest, ConfirmedVerdictsAreAnsweredById) {
  TestStream stream(daemon_.Connect());
  v1::Open open;
  open.set_confirm_settlements(true);
  stream.Open(open);
  daemon_.Publish(3);
  const std::vector<uint64_t> ids = Ids(stream.ReadDeliveries(3));
  stream.Ack(ids);
  const v1::SettleResults results = stream.Expect(v1::ConsumeResponse::kSettleResults).settle_results();
  ASSERT_EQ(results.results_size(), 1) << "those of one turn of the loop together";
  EXPECT_EQ(results.results(0).outcome(), v1::SettleResult::OUTCOME_CONFIRMED);
  EXPECT_THAT(results.results(0).ids(), testing::ElementsAreArray(ids));
}

TEST_F(ConsumeStreamTest, CreditIsReplaced) {
  v1::Open open;
  open.mutable_credit()->set_messages(2);
  TestStream stream(daemon_.Connect());
  stream.Open(open);
  daemon_.Publish(5);
  EXPECT_THAT(stream.ReadDeliveries(2), SizeIs(2));
  stream.Send(Credit(5));
  EXPECT_THAT(stream.ReadDeliveries(3), SizeIs(3));
}

TEST_F(ConsumeStreamTest, HalfCloseGivesBackAtOnce) {
  TestStream stream(daemon_.Connect());
  stream.Open(OpenAs("app-1"));
  daemon_.Publish(3);
  stream.ReadDeliveries(3);
  stream.HalfClose();
  const grpc::Status status = stream.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(EventuallyVerdicts(3));
  EXPECT_THAT(Verdicts(), Each(core::Verdict::kNak));
}

// The end of the requests comes before the news that the call broke off, now and then. Opens, breaks off and resumes
// many times: what the app holds must stay its own.
void BreakOffOften(TestDaemon* daemon, absl::FunctionRef<void(TestStream&, int fd)> break_off) {
  daemon->Publish(3);
  std::vector<uint64_t> held;
  for (int i = 0; i < 200; ++i) {
    int fd = -1;
    TestStream stream(daemon->ConnectOn(&fd));
    v1::Open open = OpenAs("app-1");
    for (uint64_t id : held) open.add_resume()->set_id(id);
    const v1::Opened opened = stream.Open(open);
    ASSERT_EQ(opened.resumed_size(), held.size()) << "in round " << i;
    if (held.empty()) held = Ids(stream.ReadDeliveries(3));
    break_off(stream, fd);
    EXPECT_FALSE(stream.Finish().ok());
  }
}

TEST_F(ConsumeStreamTest, ACancelIsNotTakenForAHalfClose) {
  BreakOffOften(&daemon_, [](TestStream& stream, int) { stream.Cancel(); });
  EXPECT_THAT(Verdicts(), Not(Contains(core::Verdict::kNak)));
}

TEST_F(ConsumeStreamTest, ABrokenConnectionIsNotTakenForAHalfClose) {
  BreakOffOften(&daemon_, [](TestStream&, int fd) { shutdown(fd, SHUT_RDWR); });
  EXPECT_THAT(Verdicts(), Not(Contains(core::Verdict::kNak)));
}

TEST_F(ConsumeStreamTest, ACancelWithoutClientIdGivesBack) {
  {
    TestStream stream(daemon_.Connect());
    stream.Open();
    daemon_.Publish(2);
    stream.ReadDeliveries(2);
    stream.Cancel();
  }
  ASSERT_TRUE(EventuallyVerdicts(2));
  EXPECT_THAT(Verdicts(), Each(core::Verdict::kNak));
}

// The write under way fails, and only then may the call be finished. What was not written whole goes back.
TEST_F(ConsumeStreamTest, AnAppThatGoesAwayDuringAWrite) {
  for (uint64_t round = 1; round <= 5; ++round) {
    int fd = -1;
    TestStream stream(round % 2 == 0 ? daemon_.ConnectOn(&fd) : daemon_.Connect());
    stream.Open();
    daemon_.Publish({{"s", {}, std::string(32 << 20, 'x')}});  // more than gRPC takes in for an app that does not read
    ASSERT_TRUE(daemon_.Eventually(
        [](core::Daemon& daemon, auto&) { return daemon.consumers().front()->gauges().in_flight == 1; }));
    if (fd >= 0) {
      shutdown(fd, SHUT_RDWR);
    } else {
      stream.Cancel();
    }
    ASSERT_TRUE(daemon_.EventuallyStreams(0));
    ASSERT_TRUE(EventuallyVerdicts(round));
  }
  EXPECT_THAT(Verdicts(), Each(core::Verdict::kNak));
}

TEST_F(ConsumeStreamTest, ASecondStreamOfAClientReplacesTheFirst) {
  TestStream first(daemon_.Connect());
  first.Open(OpenAs("app-1"));
  TestStream second(daemon_.Connect());
  second.Open(OpenAs("app-1"));
  EXPECT_EQ(first.Finish().error_code(), grpc::StatusCode::ABORTED);
  daemon_.Publish(1);
  EXPECT_THAT(second.ReadDeliveries(1), SizeIs(1));
}

TEST_F(ConsumeStreamTest, AnAppMayDrainItsStream) {
  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish(2);
  const std::vector<uint64_t> ids = Ids(stream.ReadDeliveries(2));
  v1::ConsumeRequest request;
  request.mutable_drain();
  stream.Send(request);
  EXPECT_EQ(stream.Expect(v1::ConsumeResponse::kDraining).draining().reason(), v1::Draining::REASON_APP);
  stream.Ack(ids);
  const v1::DrainReport report = stream.Expect(v1::ConsumeResponse::kDrained).drained().report();
  EXPECT_EQ(report.awaited(), 2);
  EXPECT_EQ(report.acked(), 2);
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(ConsumeStreamTest, AnAppThatNeverReadsHoldsUpNobody) {
  TestStream idle(daemon_.Connect());
  v1::ConsumeRequest open;
  open.mutable_open()->set_consumer("orders");
  idle.Send(open);
  ASSERT_TRUE(daemon_.EventuallyStreams(1));
  TestStream busy(daemon_.Connect());
  busy.Open();

  constexpr int kMessages = 200;
  for (int i = 0; i < kMessages; ++i) daemon_.Publish({{"s", {}, std::string(256 << 10, 'x')}});
  // The idle one holds at most its credit of 8 MiB, 32 of these.
  int got = 0;
  while (got < kMessages - 32 && !HasFailure()) {
    const std::vector<v1::Delivery> deliveries = busy.ReadDeliveries(1);
    got += static_cast<int>(deliveries.size());
    busy.Ack(Ids(deliveries));
  }
  EXPECT_GE(got, kMessages - 32);
}

TEST_F(ConsumeStreamTest, AFloodOfVerdictsWithoutReadingIsHeldBackThenAnswered) {
  constexpr int kRequests = 60;
  TestStream stream(daemon_.Connect());
  stream.Open();
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRequests; ++i) stream.Ack(std::vector<uint64_t>(100'000, uint64_t{1} << 40 | i));
  });
  for (uint64_t i = 0; i < kRequests; ++i) {
    const v1::ConsumeResponse response = stream.Expect(v1::ConsumeResponse::kSettleResults);
    if (HasFailure()) break;
    ASSERT_EQ(response.settle_results().results(0).ids_size(), 100'000);
    ASSERT_EQ(response.settle_results().results(0).ids(0), uint64_t{1} << 40 | i);
  }
  writer.join();
}

TEST_F(ConsumeStreamTest, AThousandStreamsComeAndGo) {
  const auto channel = daemon_.Connect();
  std::vector<std::unique_ptr<TestStream>> streams;
  for (int i = 0; i < 1000; ++i) {
    streams.push_back(std::make_unique<TestStream>(channel));
    streams.back()->Open();
  }
  ASSERT_TRUE(daemon_.EventuallyStreams(1000));
  for (size_t i = 0; i < streams.size(); i += 2) streams[i]->HalfClose();
  for (size_t i = 0; i < streams.size(); i += 2) EXPECT_TRUE(streams[i]->Finish().ok());
  streams.clear();  // cancels the other half
  EXPECT_TRUE(daemon_.EventuallyStreams(0));
}

// --- what is refused: that stream ends, all else goes on ---

struct BadRequests {
  std::string name;
  std::vector<std::function<void(v1::ConsumeRequest*)>> requests;
  std::string starts_with;
  grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT;
};

void PrintTo(const BadRequests& row, std::ostream* out) { *out << row.name; }

class RefusedTest : public ::testing::TestWithParam<BadRequests> {};

TEST_P(RefusedTest, EndsThatStreamOnly) {
  TestDaemon daemon;
  TestStream other(daemon.Connect());
  other.Open();

  TestStream stream(daemon.Connect());
  for (const auto& fill : GetParam().requests) {
    v1::ConsumeRequest request;
    fill(&request);
    stream.Send(request);
  }
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), GetParam().code);
  EXPECT_THAT(status.error_message(), StartsWith(GetParam().starts_with));

  daemon.Publish(1);
  EXPECT_THAT(other.ReadDeliveries(1), SizeIs(1));
  EXPECT_TRUE(daemon.EventuallyStreams(1));
}

void GoodOpen(v1::ConsumeRequest* request) { request->mutable_open()->set_consumer("orders"); }
void NoKind(v1::ConsumeRequest*) {}
void SomeCredit(v1::ConsumeRequest* request) { request->mutable_credit()->set_messages(1); }

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedTest,
    ::testing::Values(
        BadRequests{"EmptyFirst", {NoKind}, "the request is empty"},
        BadRequests{"EmptyLater", {GoodOpen, NoKind}, "the request is empty"},
        BadRequests{"NotOpenFirst", {SomeCredit}, "open: the first request must be open"},
        BadRequests{"SecondOpen", {GoodOpen, GoodOpen}, "open: the stream is open already"},
        BadRequests{"NoConsumer", {[](auto* request) { request->mutable_open(); }}, "open.consumer: missing"},
        BadRequests{"UnknownConsumer",
                    {[](auto* request) { request->mutable_open()->set_consumer("oders"); }},
                    "",
                    grpc::StatusCode::NOT_FOUND},
        BadRequests{"OpenCredit",
                    {[](auto* request) {
                      GoodOpen(request);
                      request->mutable_open()->mutable_credit()->set_bytes(uint64_t{1} << 63);
                    }},
                    "open.credit.bytes: 9223372036854775808"},
        BadRequests{"CreditMessages",
                    {GoodOpen, [](auto* request) { request->mutable_credit()->set_messages(1u << 31); }},
                    "credit.messages: 2147483648"},
        BadRequests{"CreditBytes",
                    {GoodOpen, [](auto* request) { request->mutable_credit()->set_bytes(uint64_t{1} << 63); }},
                    "credit.bytes: 9223372036854775808"},
        BadRequests{"NoVerdict",
                    {GoodOpen, [](auto* request) { request->mutable_settle()->add_runs()->add_ids(1); }},
                    "settle.runs[0].verdict: missing"},
        BadRequests{"DrainTimeout",
                    {GoodOpen, [](auto* request) { request->mutable_drain()->mutable_timeout()->set_seconds(-1); }},
                    "drain.timeout: -1s"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ConsumeStreamTest, AnUnknownConsumerIsToldTheKnownOnes) {
  TestStream stream(daemon_.Connect());
  v1::ConsumeRequest request;
  request.mutable_open()->set_consumer("oders");
  stream.Send(request);
  EXPECT_THAT(stream.Finish().error_message(), HasSubstr("orders"));
}

TEST_F(ConsumeStreamTest, AHalfCloseBeforeOpenIsRefused) {
  TestStream stream(daemon_.Connect());
  stream.HalfClose();
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ConsumeStreamTest, BytesThatAreNoRequestAreRefused) {
  for (const std::string& bytes : {std::string("\xff\xff\xff\xff"), std::string("\x0a\x7fshort"),
                                   std::string("\x0a\x04\x0a\x02\xff\xfe")}) {  // a consumer's name that is not UTF-8
    const RawResult result = RawCall(daemon_.Connect(), kConsume, bytes);
    EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(result.status.error_message(), "the request is not a sluice.v1.ConsumeRequest");
  }
}

TEST_F(ConsumeStreamTest, ARequestOverTheLimitEndsItsStream) {
  TestStream other(daemon_.Connect());
  other.Open();
  const RawResult result = RawCall(daemon_.Connect(), kConsume, std::string(Server::kMaxRequestBytes + 1, '\0'));
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << result.status.error_message();
  daemon_.Publish(1);
  EXPECT_THAT(other.ReadDeliveries(1), SizeIs(1));
}

TEST_F(ConsumeStreamTest, WhatAViolatorHeldIsKeptForItsReturn) {
  daemon_.Publish(2);
  std::vector<uint64_t> ids;
  {
    TestStream stream(daemon_.Connect());
    stream.Open(OpenAs("app-1"));
    ids = Ids(stream.ReadDeliveries(2));
    stream.Send(v1::ConsumeRequest());
    EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  v1::Open open = OpenAs("app-1");
  for (uint64_t id : ids) open.add_resume()->set_id(id);
  TestStream stream(daemon_.Connect());
  const v1::Opened opened = stream.Open(open);
  std::vector<uint64_t> resumed;
  for (const v1::Resumed& entry : opened.resumed()) resumed.push_back(entry.id());
  EXPECT_THAT(resumed, UnorderedElementsAreArray(ids));
  stream.Ack(ids);
  ASSERT_TRUE(EventuallyVerdicts(2));
  EXPECT_THAT(Verdicts(), Each(core::Verdict::kAck));
}

}  // namespace
}  // namespace sluice::rpc
