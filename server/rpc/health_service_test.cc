#include "rpc/health_service.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthCheckRequest Of(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

// One Watch as its caller sees it.
class Watch {
 public:
  Watch(const TestDaemon& daemon, const std::string& service) : stub_(Health::NewStub(daemon.Connect())) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
    reader_ = stub_->Watch(&context_, Of(service));
  }

  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    EXPECT_TRUE(reader_->Read(&response)) << "the watch ended";
    return response.status();
  }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() {
    HealthCheckResponse response;
    while (reader_->Read(&response)) {
    }
    return reader_->Finish();
  }

 private:
  const std::unique_ptr<Health::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

class HealthServiceTest : public ::testing::Test {
 protected:
  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
    return Health::NewStub(daemon_.Connect())->Check(&context, Of(service), response);
  }
  HealthCheckResponse::ServingStatus StatusOf(const std::string& service) {
    HealthCheckResponse response;
    const grpc::Status status = Check(service, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  TestDaemon daemon_;
};

TEST_F(HealthServiceTest, CheckFollowsSetServing) {
  for (const char* service : {"", "sluice.v1.ConsumerService"}) {
    EXPECT_EQ(StatusOf(service), HealthCheckResponse::NOT_SERVING);
    daemon_.server().SetServing(true);
    EXPECT_EQ(StatusOf(service), HealthCheckResponse::SERVING);
    daemon_.server().SetServing(false);
    EXPECT_EQ(StatusOf(service), HealthCheckResponse::NOT_SERVING);
  }
}

TEST_F(HealthServiceTest, AnUnknownServiceIsNotFound) {
  HealthCheckResponse response;
  EXPECT_EQ(Check("sluice.v1.Consumer", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthServiceTest, AWatchIsToldEachChangeOnce) {
  Watch watch(daemon_, "sluice.v1.ConsumerService");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  daemon_.server().SetServing(false);  // no change
  daemon_.server().SetServing(true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  daemon_.server().SetServing(false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, AWatchThatComesLateIsToldHowItIs) {
  daemon_.server().SetServing(true);
  EXPECT_EQ(Watch(daemon_, "").Next(), HealthCheckResponse::SERVING);
}

// Such a watch stays: the service might become known.
TEST_F(HealthServiceTest, AWatchOfAnUnknownServiceIsToldSo) {
  Watch watch(daemon_, "no.such.Service");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  daemon_.server().SetServing(true);
  daemon_.server().Shutdown();
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// Also one that comes before gRPC has said that the status before it is written.
TEST_F(HealthServiceTest, NoChangeIsMissed) {
  Watch watch(daemon_, "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  for (int i = 0; i < 200 && !HasFailure(); ++i) {
    const bool serving = i % 2 == 0;
    daemon_.server().SetServing(serving);
    EXPECT_EQ(watch.Next(), serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }
}

TEST_F(HealthServiceTest, WatchesComeAndGo) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 50; ++i) watches.push_back(std::make_unique<Watch>(daemon_, ""));
  for (const auto& watch : watches) EXPECT_EQ(watch->Next(), HealthCheckResponse::NOT_SERVING);
  for (size_t i = 0; i < watches.size(); i += 2) watches[i]->Cancel();
  for (size_t i = 0; i < watches.size(); i += 2) {
    EXPECT_EQ(watches[i]->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  daemon_.server().SetServing(true);
  for (size_t i = 1; i < watches.size(); i += 2) EXPECT_EQ(watches[i]->Next(), HealthCheckResponse::SERVING);
  daemon_.server().Shutdown();
  for (size_t i = 1; i < watches.size(); i += 2) {
    EXPECT_EQ(watches[i]->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

}  // namespace
}  // namespace sluice::rpc
