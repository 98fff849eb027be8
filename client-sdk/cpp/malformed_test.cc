// A daemon whose responses are no responses.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "client-sdk/cpp/frame_fixture.h"
#include "sluice/client.h"
#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;

// Sends each stream `Opened`, and then what the test says; it never ends one by itself.
class RawDaemon final : public v1::ConsumerService::WithRawCallbackMethod_Consume<v1::ConsumerService::Service> {
 public:
  explicit RawDaemon(std::vector<std::string> responses) : responses_(std::move(responses)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~RawDaemon() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "unix:/tmp/sluice-raw-daemon-" + std::to_string(getpid()) + ".sock"; }

 private:
  class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(const std::string& response) {
      v1::ConsumeResponse opened;
      opened.mutable_opened();
      writes_ = {InBlocks(opened.SerializeAsString()), InBlocks(response)};
      StartWrite(&writes_[0]);
      StartRead(&request_);
    }
    void OnWriteDone(bool ok) override {
      if (ok && ++written_ < writes_.size()) StartWrite(&writes_[written_]);
    }
    void OnReadDone(bool ok) override { ok ? StartRead(&request_) : Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }

   private:
    std::vector<grpc::ByteBuffer> writes_;
    size_t written_ = 0;
    grpc::ByteBuffer request_;
  };

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Consume(grpc::CallbackServerContext*) override {
    return new Stream(responses_[std::min(streams_++, responses_.size() - 1)]);
  }

  const std::vector<std::string> responses_;  // of the first stream, the second,
                                              // ...; the last one for all others
  std::atomic<size_t> streams_{0};
  std::unique_ptr<grpc::Server> server_;
};

std::string OneDelivery() {
  v1::ConsumeResponse response;
  v1::Delivery& delivery = *response.mutable_deliveries()->add_deliveries();
  delivery.set_id(1);
  delivery.set_data("some data");
  return response.SerializeAsString();
}

TEST(MalformedTest, EndsItsStreamWithAnErrorAndTheNextOneIsRead) {
  const std::string half = OneDelivery().substr(0, 9);
  const std::string half_notice = '\x22' + std::string("\x02\x12\x09", 3);
  RawDaemon daemon({half, half_notice, OneDelivery()});
  Client client({.address = daemon.address(), .first_retry = std::chrono::milliseconds(1), .log = nullptr});
  std::mutex mutex;
  std::vector<std::string> ends;
  std::promise<std::string> data;
  ConsumeOptions options;
  options.on_state = [&](State state, const std::string& detail) {
    std::lock_guard lock(mutex);
    if (state == State::kConnecting && !detail.empty()) ends.push_back(detail);
  };
  auto consumption = client.Consume("orders", options, [&](Message& m) { data.set_value(std::string(m.data())); });
  auto future = data.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(future.get(), "some data");
  std::lock_guard lock(mutex);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0], "the daemon sent 9 bytes that are no sluice.v1.ConsumeResponse");
  EXPECT_THAT(ends[1], HasSubstr("4 bytes that are no"));
}

}  // namespace
}  // namespace sluice::testing
