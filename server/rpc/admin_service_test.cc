#include "rpc/admin_service.h"

#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class AdminServiceTest : public ::testing::Test {
 protected:
  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
    return context;
  }

  TestDaemon daemon_;
  const std::unique_ptr<v1::AdminService::Stub> admin_ = v1::AdminService::NewStub(daemon_.Connect());
  const std::unique_ptr<v1::ConsumerService::Stub> consumers_ = v1::ConsumerService::NewStub(daemon_.Connect());
};

TEST_F(AdminServiceTest, GetStatus) {
  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish(2);
  stream.ReadDeliveries(2);

  v1::Status status;
  ASSERT_TRUE(admin_->GetStatus(Context().get(), {}, &status).ok());
  EXPECT_EQ(status.version(), "1.2.3");
  EXPECT_EQ(status.phase(), "SERVING");
  EXPECT_GT(status.started().seconds(), 0);
  EXPECT_FALSE(status.has_drain_deadline());
  EXPECT_TRUE(status.nats().connected());
  EXPECT_EQ(status.nats().url(), "nats://n1:4222");
  EXPECT_EQ(status.nats().server_version(), "2.10.27");
  EXPECT_EQ(status.nats().reconnects(), 3);
  ASSERT_THAT(status.consumers(), SizeIs(1));
  const v1::Consumer& consumer = status.consumers(0);
  EXPECT_EQ(consumer.name(), "orders");
  EXPECT_EQ(consumer.stream(), "ORDERS");
  EXPECT_EQ(consumer.durable(), "worker");
  EXPECT_EQ(consumer.phase(), "SERVING");
  EXPECT_EQ(consumer.state().kind(), v1::State::KIND_SERVING);
  EXPECT_EQ(consumer.counts().streams(), 1);
  EXPECT_EQ(consumer.counts().in_flight(), 2);
  EXPECT_EQ(consumer.counts().received(), 2);
  EXPECT_EQ(consumer.counts().delivered(), 2);
}

TEST_F(AdminServiceTest, ConsumersAreListedAndLookedUp) {
  v1::ListConsumersResponse list;
  ASSERT_TRUE(consumers_->ListConsumers(Context().get(), {}, &list).ok());
  ASSERT_THAT(list.consumers(), SizeIs(1));
  EXPECT_EQ(list.consumers(0).name(), "orders");

  v1::GetConsumerRequest request;
  request.set_consumer("orders");
  v1::Consumer consumer;
  ASSERT_TRUE(consumers_->GetConsumer(Context().get(), request, &consumer).ok());
  EXPECT_EQ(consumer.durable(), "worker");

  request.set_consumer("oders");
  const grpc::Status status = consumers_->GetConsumer(Context().get(), request, &consumer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no consumer 'oders' is configured; known: orders; did you mean 'orders'?");
}

TEST_F(AdminServiceTest, DrainTellsTheAppsAwaitsThemAndReports) {
  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish(3);
  const std::vector<uint64_t> ids = Ids(stream.ReadDeliveries(3));

  v1::DrainRequest request;
  request.mutable_timeout()->set_seconds(20);
  v1::DrainResponse drain;
  ASSERT_TRUE(admin_->Drain(Context().get(), request, &drain).ok());
  EXPECT_FALSE(drain.already_draining());
  EXPECT_GT(drain.deadline().seconds(), absl::ToUnixSeconds(absl::Now()));
  v1::DrainResponse again;
  ASSERT_TRUE(admin_->Drain(Context().get(), {}, &again).ok());
  EXPECT_TRUE(again.already_draining());
  EXPECT_EQ(again.deadline().seconds(), drain.deadline().seconds());

  EXPECT_EQ(stream.Expect(v1::ConsumeResponse::kDraining).draining().reason(), v1::Draining::REASON_DAEMON);
  v1::Status status;
  ASSERT_TRUE(admin_->GetStatus(Context().get(), {}, &status).ok());
  EXPECT_EQ(status.phase(), "DRAINING");
  EXPECT_EQ(status.drain_deadline().seconds(), drain.deadline().seconds());

  TestStream late(daemon_.Connect());
  v1::ConsumeRequest open;
  open.mutable_open()->set_consumer("orders");
  late.Send(open);
  EXPECT_EQ(late.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);

  stream.Ack(ids);
  EXPECT_EQ(stream.Expect(v1::ConsumeResponse::kDrained).drained().report().acked(), 3);
  EXPECT_TRUE(stream.Finish().ok());

  v1::WaitDrainedResponse waited;
  ASSERT_TRUE(admin_->WaitDrained(Context().get(), {}, &waited).ok());
  EXPECT_EQ(waited.report().acked(), 3);
  ASSERT_THAT(waited.consumers(), SizeIs(1));
  EXPECT_EQ(waited.consumers(0).consumer(), "orders");
  EXPECT_EQ(waited.consumers(0).report().awaited(), 3);
  ASSERT_TRUE(admin_->GetStatus(Context().get(), {}, &status).ok());
  EXPECT_EQ(status.phase(), "DRAINED");
}

TEST_F(AdminServiceTest, ADrainTimeoutOutOfRangeIsRefused) {
  v1::DrainRequest request;
  request.mutable_timeout()->set_seconds(86401);
  v1::DrainResponse response;
  const grpc::Status status = admin_->Drain(Context().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("timeout: 24h1s"));
}

TEST_F(AdminServiceTest, WaitDrainedNeedsADrain) {
  v1::WaitDrainedResponse response;
  const grpc::Status status = admin_->WaitDrained(Context().get(), {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("call Drain first"));
}

TEST_F(AdminServiceTest, ManyMayWaitAndSomeMayLeave) {
  TestStream stream(daemon_.Connect());
  stream.Open();
  daemon_.Publish(1);
  const std::vector<uint64_t> ids = Ids(stream.ReadDeliveries(1));
  v1::DrainResponse drain;
  ASSERT_TRUE(admin_->Drain(Context().get(), {}, &drain).ok());

  grpc::CompletionQueue queue;
  struct Waiter {
    std::unique_ptr<grpc::ClientContext> context = Context();
    v1::WaitDrainedResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::WaitDrainedResponse>> reader;
  };
  std::vector<Waiter> waiters(20);
  for (Waiter& waiter : waiters) {
    waiter.reader = admin_->AsyncWaitDrained(waiter.context.get(), {}, &queue);
    waiter.reader->Finish(&waiter.response, &waiter.status, &waiter);
  }
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return static_cast<Waiter*>(tag);
  };
  for (int i = 0; i < 10; ++i) waiters[i].context->TryCancel();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(next()->status.error_code(), grpc::StatusCode::CANCELLED);
  stream.Ack(ids);
  for (int i = 10; i < 20; ++i) {
    const Waiter* waiter = next();
    EXPECT_TRUE(waiter->status.ok()) << waiter->status.error_message();
    EXPECT_EQ(waiter->response.report().acked(), 1);
  }
  queue.Shutdown();
}

}  // namespace
}  // namespace sluice::rpc
