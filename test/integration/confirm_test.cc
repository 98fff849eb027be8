// Confirmed settlements, as the contract has them: an app that speaks gRPC itself, a real server that goes and comes.
#include <chrono>
#include <set>

#include "grpcpp/create_channel.h"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

using sluice::v1::ConsumeRequest;
using sluice::v1::ConsumeResponse;
using sluice::v1::SettleResult;

class ConfirmTest : public IntegrationTest {
 protected:
  ~ConfirmTest() override { context_.TryCancel(); }

  void Open() {
    stub_ = sluice::v1::ConsumerService::NewStub(
        grpc::CreateChannel(daemon_->address(), grpc::InsecureChannelCredentials()));
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = stub_->Consume(&context_);
    ConsumeRequest request;
    request.mutable_open()->set_consumer("orders");
    request.mutable_open()->set_confirm_settlements(true);
    request.mutable_open()->mutable_credit()->set_messages(1000);
    ASSERT_TRUE(stream_->Write(request));
  }
  // Reads on until `done`; false if the stream ends before.
  template <typename Done>
  bool ReadUntil(Done done) {
    while (!done()) {
      ConsumeResponse response;
      if (!stream_->Read(&response)) return false;
      for (const auto& delivery : response.deliveries().deliveries()) held_.push_back(delivery.id());
      if (response.has_state()) state_ = response.state().kind();
      for (const SettleResult& result : response.settle_results().results()) {
        for (uint64_t id : result.ids()) {
          EXPECT_EQ(result.outcome(), SettleResult::OUTCOME_CONFIRMED) << result.detail();
          EXPECT_TRUE(confirmed_.insert(id).second) << "told twice";
        }
      }
    }
    return true;
  }
  void Ack(size_t begin, size_t end) {
    ConsumeRequest request;
    auto* run = request.mutable_settle()->add_runs();
    run->mutable_ids()->Add(held_.begin() + begin, held_.begin() + end);
    run->mutable_ack();
    ASSERT_TRUE(stream_->Write(request));
  }

  grpc::ClientContext context_;
  std::unique_ptr<sluice::v1::ConsumerService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<ConsumeRequest, ConsumeResponse>> stream_;
  std::vector<uint64_t> held_;
  std::set<uint64_t> confirmed_;
  sluice::v1::State::Kind state_ = sluice::v1::State::KIND_UNSPECIFIED;
};

TEST_P(ConfirmTest, WhatIsConfirmedIsSettledOnTheServer) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(admin_->PublishNumbers(kSubject, 500, 1).ok());
  ASSERT_TRUE(StartDaemon());
  Open();
  ASSERT_TRUE(ReadUntil([&] { return held_.size() == 500; }));
  Ack(0, 200);
  ASSERT_TRUE(ReadUntil([&] { return confirmed_.size() == 200; }));
  EXPECT_EQ(Told("num_ack_pending"), 300);
  Ack(200, 500);
  ASSERT_TRUE(ReadUntil([&] { return confirmed_.size() == 500; }));
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

// Given while the server is away: told when it is back, and has acted.
TEST_P(ConfirmTest, AConfirmationOutlivesTheServer) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(admin_->PublishNumbers(kSubject, 100, 1).ok());
  ASSERT_TRUE(StartDaemon());
  Open();
  ASSERT_TRUE(ReadUntil([&] { return held_.size() == 100; }));
  server_->Stop();
  ASSERT_TRUE(ReadUntil([&] { return state_ == sluice::v1::State::KIND_NATS_DOWN; }));
  Ack(0, 100);
  EXPECT_TRUE(confirmed_.empty());
  ASSERT_TRUE(server_->Restart().ok());
  ASSERT_TRUE(ReadUntil([&] { return confirmed_.size() == 100; }));
  ASSERT_TRUE(ConnectAdmin());
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

INSTANTIATE_TEST_SUITE_P(All, ConfirmTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
