// The end of the server, whatever is open, and whatever comes at that moment: no call hangs, and none is used after.
#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "rpc/raw_call.h"
#include "rpc/server.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
  return context;
}

void ShutDown(TestDaemon* daemon) {
  const absl::Time begin = absl::Now();
  daemon->server().Shutdown();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
}

TEST(ServerShutdownTest, EndsStreamsInAnyState) {
  TestDaemon daemon;
  TestStream open(daemon.Connect());
  open.Open();
  TestStream not_open_yet(daemon.Connect());
  TestStream never_reads(daemon.Connect());
  v1::ConsumeRequest request;
  request.mutable_open()->set_consumer("orders");
  never_reads.Send(request);
  ASSERT_TRUE(daemon.EventuallyStreams(2));
  for (int i = 0; i < 100; ++i) daemon.Publish({{"s", {}, std::string(256 << 10, 'x')}});
  ASSERT_TRUE(daemon.Eventually([](core::Daemon& core, test::FakeMessageSource&) {
    return core.consumers().front()->counters().received >= 64;  // the credit of both, 8 MiB each
  }));

  ShutDown(&daemon);
  EXPECT_EQ(not_open_yet.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(never_reads.Finish().ok());
  EXPECT_TRUE(daemon.EventuallyStreams(0));
}

// Unary calls that wait, each in a thread of its own.
class Callers {
 public:
  ~Callers() { Join(); }
  void Add(std::function<grpc::Status(grpc::ClientContext*)> call) {
    threads_.emplace_back([call = std::move(call)] {
      const grpc::Status status = call(Context().get());
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
    });
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

TEST(ServerShutdownTest, EndsCallsOfEveryKind) {
  TestDaemon daemon(/*reflection=*/true);
  const auto consumers = v1::ConsumerService::NewStub(daemon.Connect());
  const auto admin = v1::AdminService::NewStub(daemon.Connect());
  const auto health = grpc::health::v1::Health::NewStub(daemon.Connect());
  TestStream stream(daemon.Connect());
  stream.Open();

  Callers callers;
  for (int i = 0; i < 10; ++i) {
    callers.Add([&](grpc::ClientContext* context) {
      v1::FetchRequest request;
      request.set_consumer("orders");
      request.mutable_max_wait()->set_seconds(60);
      v1::FetchResponse response;
      return consumers->Fetch(context, request, &response);
    });
  }
  ASSERT_TRUE(daemon.Eventually(
      [](core::Daemon& core, test::FakeMessageSource&) { return core.consumers().front()->unary().waiting() == 10; }));

  const auto watch_context = Context();
  const auto watch = health->Watch(watch_context.get(), {});
  grpc::health::v1::HealthCheckResponse told;
  EXPECT_TRUE(watch->Read(&told));

  grpc::GenericStub reflection(daemon.Connect());
  const auto reflection_context = Context();
  grpc::CompletionQueue queue;
  void* tag;
  bool ok;
  auto open_call = reflection.PrepareCall(reflection_context.get(), kReflection, &queue);
  open_call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);

  ShutDown(&daemon);
  callers.Join();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  grpc::Status status;
  open_call->Finish(&status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  EXPECT_TRUE(daemon.EventuallyStreams(0));
}

TEST(ServerShutdownTest, EndsWhoWaitsForADrain) {
  TestDaemon daemon;
  const auto admin = v1::AdminService::NewStub(daemon.Connect());
  TestStream stream(daemon.Connect());
  stream.Open();
  daemon.Publish(1);
  stream.ReadDeliveries(1);  // which it keeps, and the drain awaits
  v1::DrainResponse drain;
  ASSERT_TRUE(admin->Drain(Context().get(), {}, &drain).ok());
  constexpr int kWaiting = 3;
  struct Waiting {
    std::unique_ptr<grpc::ClientContext> context = Context();
    v1::WaitDrainedRequest request;
    v1::WaitDrainedResponse response;
    grpc::Status status;
    absl::Notification ended;
  };
  std::vector<std::unique_ptr<Waiting>> waiting;
  for (int i = 0; i < kWaiting; ++i) {
    Waiting* one = waiting.emplace_back(std::make_unique<Waiting>()).get();
    admin->async()->WaitDrained(one->context.get(), &one->request, &one->response, [one](grpc::Status status) {
      one->status = std::move(status);
      one->ended.Notify();
    });
  }
  // On one connection, calls come in their order: with each answer one more of them has arrived.
  for (int i = 0; i < kWaiting; ++i) {
    v1::Status status;
    ASSERT_TRUE(admin->GetStatus(Context().get(), {}, &status).ok());
  }
  ShutDown(&daemon);
  for (const auto& one : waiting) {
    one->ended.WaitForNotification();
    EXPECT_EQ(one->status.error_code(), grpc::StatusCode::UNAVAILABLE) << one->status.error_message();
  }
}

// Calls without end, of every kind, from before the end to after it.
TEST(ServerShutdownTest, CallsThatComeAtThatMoment) {
  for (int round = 0; round < 10; ++round) {
    TestDaemon daemon;
    std::atomic<bool> over = false;
    std::atomic<int> calls = 0;
    std::vector<std::thread> threads;
    const auto call_on = [&](const std::function<void(const std::shared_ptr<grpc::Channel>&)>& call) {
      threads.emplace_back([&over, &calls, call, channel = daemon.Connect()] {
        for (; !over; ++calls) call(channel);
      });
    };
    call_on([](const auto& channel) {
      v1::Status status;
      v1::AdminService::NewStub(channel)->GetStatus(Context().get(), {}, &status);
    });
    call_on([](const auto& channel) {
      v1::FetchRequest request;
      request.set_consumer("orders");
      request.mutable_max_wait()->set_nanos(1'000'000);
      v1::FetchResponse response;
      v1::ConsumerService::NewStub(channel)->Fetch(Context().get(), request, &response);
    });
    call_on([](const auto& channel) { TestStream stream(channel); });
    call_on([](const auto& channel) {
      TestStream stream(channel);
      v1::ConsumeRequest open;
      open.mutable_open()->set_consumer("orders");
      stream.Send(open);
      stream.Read();
    });
    call_on([](const auto& channel) { RawCall(channel, "/no.such.Service/Method", ""); });
    call_on([](const auto& channel) { RawCall(channel, "/sluice.v1.ConsumerService/Fetch", "\xff"); });
    while (calls < 30 + 10 * round) std::this_thread::yield();  // each round another moment
    ShutDown(&daemon);
    over = true;
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(ServerShutdownTest, ACallAfterTheEndIsRefused) {
  TestDaemon daemon;
  const auto admin = v1::AdminService::NewStub(daemon.Connect());
  v1::Status status;
  ASSERT_TRUE(admin->GetStatus(Context().get(), {}, &status).ok());
  daemon.server().Shutdown();
  EXPECT_EQ(admin->GetStatus(Context().get(), {}, &status).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace sluice::rpc
