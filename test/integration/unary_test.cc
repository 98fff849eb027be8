// Fetch and Settle with the real binary and a real server: callers that come, settle, are killed, forget.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>
#include <map>

#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/generic/generic_stub.h"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

using sluice::v1::Delivery;
using sluice::v1::FetchRequest;
using sluice::v1::FetchResponse;
using sluice::v1::SettleRequest;
using sluice::v1::SettleResponse;
using sluice::v1::SettleResult;
using testing::HasSubstr;

class UnaryTest : public IntegrationTest {
 protected:
  // With a consumer that is SERVING, and `count` messages in the stream.
  void Start(int count) {
    options_.ack_wait = absl::Seconds(30);  // whoever waits for it is late
    ASSERT_TRUE(StartServer());
    ASSERT_TRUE(admin_->PublishNumbers(kSubject, count, 1).ok());
    ASSERT_TRUE(StartDaemon());
    ASSERT_TRUE(daemon_->AwaitReady().ok());
    Connect();
  }
  void Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = sluice::v1::ConsumerService::NewStub(
        grpc::CreateCustomChannel(daemon_->address(), grpc::InsecureChannelCredentials(), arguments));
  }
  static FetchRequest Request(uint32_t batch) {
    FetchRequest request;
    request.set_consumer("orders");
    request.set_batch(batch);
    return request;
  }
  grpc::Status Fetch(const FetchRequest& request, FetchResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + 2 * kPatience));
    return stub_->Fetch(&context, request, response);
  }
  // As many, however many calls it takes.
  std::vector<Delivery> FetchAll(size_t count) {
    std::vector<Delivery> deliveries;
    while (deliveries.size() < count && !HasFailure()) {
      FetchResponse response;
      const grpc::Status status = Fetch(Request(std::min<size_t>(count - deliveries.size(), 256)), &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const Delivery& delivery : response.deliveries()) deliveries.push_back(delivery);
    }
    return deliveries;
  }
  // How often each outcome was told.
  std::map<SettleResult::Outcome, int> Ack(const std::vector<Delivery>& deliveries) {
    SettleRequest request;
    request.set_consumer("orders");
    for (const Delivery& delivery : deliveries) request.add_tokens(delivery.token());
    request.mutable_ack();
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    SettleResponse response;
    const grpc::Status status = stub_->Settle(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::map<SettleResult::Outcome, int> outcomes;
    for (const SettleResult& result : response.results()) {
      outcomes[result.outcome()] += result.ids_size();
      detail_ = result.detail();
    }
    return outcomes;
  }

  std::unique_ptr<sluice::v1::ConsumerService::Stub> stub_;
  std::string detail_;  // of the last result
};

TEST_P(UnaryTest, EveryMessageIsFetchedOnceAndSettled) {
  Start(1000);
  std::map<std::string, int> seen;
  for (int i = 0; i < 10 && !HasFailure(); ++i) {
    const std::vector<Delivery> deliveries = FetchAll(100);
    for (const Delivery& delivery : deliveries) ++seen[delivery.data()];
    EXPECT_EQ(Ack(deliveries)[SettleResult::OUTCOME_CONFIRMED], 100);
    EXPECT_EQ(Told("num_ack_pending"), 0) << "confirmed is settled";
  }
  EXPECT_EQ(seen.size(), 1000u);
}

// redpanda-data/connect#4160: Fetch(1), ~2 MiB/min. Here a fetch is a round trip, and never the life of a pull.
TEST_P(UnaryTest, Connect4160FetchesOfOneMessage) {
  options_.pull_expires = absl::Seconds(30);
  Start(200);
  const absl::Time began = absl::Now();
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 200 && !HasFailure(); ++i) deliveries.push_back(FetchAll(1).at(0));
  const double each_ms = absl::ToDoubleMilliseconds(absl::Now() - began) / 200;
  std::cout << "fetches of one message: " << each_ms << " ms each\n";
  RecordProperty("fetch_one_ms", std::to_string(each_ms));
  EXPECT_LT(each_ms, 100);
  EXPECT_EQ(Ack(deliveries)[SettleResult::OUTCOME_CONFIRMED], 200);
}

// --- callers that go away ---

TEST_P(UnaryTest, NothingIsHandedToACallerThatWasKilledWhileItWaited) {
  Start(0);
  Process caller({CallerBinary(), daemon_->address(), "orders", "256", "60"}, dir_ / "caller.out", dir_ / "app.log");
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().pulls() > 0; }));
  caller.Signal(SIGKILL);
  ASSERT_TRUE(caller.Wait(kPatience));
  StartApp();
  ASSERT_GT(apps_.back()->AwaitTold("serving"), 0);
  const absl::Time published = absl::Now();
  ASSERT_TRUE(admin_->PublishNumbers(kSubject, 100, 1).ok());
  ASSERT_TRUE(AwaitHandledInAll(100));
  EXPECT_LT(absl::Now() - published, options_.ack_wait / 3);
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0; }));
  EXPECT_EQ(Told("num_redelivered"), 0) << "it never had any";
}

// A message of 1 MB does not fit between a caller that does not read and the daemon: it is killed in the middle of its
// response.
TEST_P(UnaryTest, WhatWasOnItsWayToACallerThatWasKilledIsWithAnotherAppAtOnce) {
  Start(0);
  ASSERT_TRUE(admin_->Publish(kSubject, std::string(1'000'000, 'x')).ok());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, SocketPath(dir_.path()).c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // else its window grows to whatever comes
  grpc::GenericStub stub(grpc::CreateCustomInsecureChannelFromFd("daemon", fd, arguments));
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  void* tag;
  bool ok;
  auto call = stub.PrepareCall(&context, "/sluice.v1.ConsumerService/Fetch", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  const grpc::Slice slice(Request(1).SerializeAsString());
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().in_flight() == 1; }));

  const absl::Time killed = absl::Now();
  shutdown(fd, SHUT_RDWR);  // as the kernel does for a process that it kills
  const std::vector<Delivery> deliveries = FetchAll(1);
  EXPECT_LT(absl::Now() - killed, options_.ack_wait / 3);
  for (const Delivery& delivery : deliveries) EXPECT_EQ(delivery.num_delivered(), 2u);
  EXPECT_EQ(Ack(deliveries)[SettleResult::OUTCOME_CONFIRMED], 1);
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

// --- leases ---

TEST_P(UnaryTest, WhatIsNotSettledInItsLeaseIsWithTheNextCallerLongBeforeTheAckWait) {
  Start(10);
  FetchRequest request = Request(10);
  request.mutable_lease()->set_nanos(300'000'000);
  FetchResponse first;
  const absl::Time began = absl::Now();
  ASSERT_TRUE(Fetch(request, &first).ok());
  const int count = first.deliveries_size();
  ASSERT_GT(count, 0);
  // All, those that the first one left among them.
  std::map<std::string, Delivery> latest;
  std::vector<Delivery> rest;
  while (rest.size() < 10 && !HasFailure()) {
    FetchResponse next;
    ASSERT_TRUE(Fetch(Request(10), &next).ok());
    for (const Delivery& delivery : next.deliveries()) rest.push_back(delivery);
  }
  EXPECT_LT(absl::Now() - began, options_.ack_wait / 3);
  int again = 0;
  for (const Delivery& delivery : rest) again += delivery.num_delivered() == 2;
  EXPECT_EQ(again, count);
  // Late, but harmless: it is settled by whoever is first.
  const std::vector<Delivery> late(first.deliveries().begin(), first.deliveries().end());
  EXPECT_EQ(Ack(late)[SettleResult::OUTCOME_LATE], count) << detail_;
  EXPECT_EQ(Ack(rest)[SettleResult::OUTCOME_CONFIRMED], 10);
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

// --- drains, and crashes ---

TEST_P(UnaryTest, ADrainWaitsForSettleAndReports) {
  Start(5);
  const std::vector<Delivery> deliveries = FetchAll(5);
  ASSERT_EQ(deliveries.size(), 5u);
  daemon_->Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return daemon_->Status().consumers(0).phase() == "SETTLING"; }));
  FetchResponse response;
  const grpc::Status refused = Fetch(Request(1), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("draining"));
  EXPECT_EQ(Ack(deliveries)[SettleResult::OUTCOME_CONFIRMED], 5);
  EXPECT_EQ(daemon_->Wait(), 0);
  EXPECT_EQ(daemon_->Reported("awaited"), 5);
  EXPECT_EQ(daemon_->Reported("acked"), 5);
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

TEST_P(UnaryTest, ADrainGivesBackAtItsDeadlineWhatNobodySettles) {
  options_.drain_timeout = absl::Seconds(2);
  Start(5);
  ASSERT_EQ(FetchAll(5).size(), 5u);
  EXPECT_EQ(daemon_->Terminate(), 0);
  EXPECT_EQ(daemon_->Reported("naked"), 5);
  ASSERT_TRUE(StartDaemon());
  Connect();
  const absl::Time began = absl::Now();
  EXPECT_EQ(Ack(FetchAll(5))[SettleResult::OUTCOME_CONFIRMED], 5);
  EXPECT_LT(absl::Now() - began, options_.ack_wait / 3);
}

INSTANTIATE_TEST_SUITE_P(All, UnaryTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
