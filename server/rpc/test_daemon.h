#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "core/daemon.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/consumer.grpc.pb.h"
#include "test/support/fake_message_source.h"
#include "token/codec.h"

// For the tests of rpc alone: the real server and the real core over a fake source, and clients of it.
namespace sluice::rpc {

inline constexpr absl::Duration kTestPatience = absl::Seconds(30);

class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-rpc-XXXXXX").string();
    path_ = mkdtemp(path.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A daemon with one consumer "orders", on a Unix socket and a TCP port.
class TestDaemon {
 public:
  explicit TestDaemon(bool reflection = false) : loop_(&clock_), daemon_(&loop_.timers()) {
    core::ConsumerOptions consumer;
    consumer.name = "orders";
    consumer.stream = "ORDERS";
    consumer.durable = "worker";
    consumer.pull_expires = absl::Milliseconds(100);
    auto source = std::make_unique<test::FakeMessageSource>(&loop_.timers());
    source_ = source.get();
    daemon_.SetTokens(&tokens_);
    daemon_.AddConsumer(consumer, std::move(source));
    thread_ = std::thread([this] { loop_.Run(); });

    ServerOptions options;
    options.unix_socket = socket_path();
    options.tcp = "127.0.0.1:0";
    options.reflection = reflection;
    options.version = "1.2.3";
    options.drain_timeout = absl::Seconds(20);
    options.nats_status = [] { return NatsStatus{true, "nats://n1:4222", "2.10.27", 3, ""}; };
    auto server = Server::Start(std::move(options), &loop_, &daemon_);
    if (!server.ok()) ADD_FAILURE() << server.status();
    server_ = *std::move(server);
  }
  ~TestDaemon() {
    server_.reset();
    loop_.Stop();
    thread_.join();
  }

  Server& server() { return *server_; }
  const core::TokenCodec& tokens() const { return tokens_; }
  std::string socket_path() const { return dir_ / "s"; }
  std::string unix_address() const { return "unix:" + socket_path(); }
  std::string tcp_address() const { return absl::StrCat("127.0.0.1:", server_->tcp_port()); }

  // Runs `task` on the loop and waits for what it returns.
  template <typename Task>
  auto OnLoop(Task task) {
    using Result = decltype(task(daemon_, *source_));
    std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> result;
    absl::Notification done;
    loop_.Post([&] {
      if constexpr (std::is_void_v<Result>) {
        task(daemon_, *source_);
      } else {
        result = task(daemon_, *source_);
      }
      done.Notify();
    });
    done.WaitForNotification();
    if constexpr (!std::is_void_v<Result>) return *std::move(result);
  }

  void Publish(std::vector<test::FakeMessageSource::Content> contents) {
    OnLoop([&](core::Daemon&, test::FakeMessageSource& source) {
      for (auto& content : contents) source.Publish(std::move(content));
    });
  }
  void Publish(int count) {
    for (int i = 0; i < count; ++i) Publish({{"orders.new", {}, absl::StrCat("message ", i)}});
  }

  // Waits until `condition`, asked on the loop, holds.
  ::testing::AssertionResult Eventually(absl::FunctionRef<bool(core::Daemon&, test::FakeMessageSource&)> condition) {
    const absl::Time patience = absl::Now() + kTestPatience;
    while (absl::Now() < patience) {
      if (OnLoop(condition)) return ::testing::AssertionSuccess();
      absl::SleepFor(absl::Milliseconds(1));
    }
    return ::testing::AssertionFailure() << "it did not come true in " << kTestPatience;
  }
  ::testing::AssertionResult EventuallyStreams(uint64_t count) {
    return Eventually([=](core::Daemon& daemon, test::FakeMessageSource&) {
      return daemon.consumers().front()->gauges().streams == count;
    });
  }

  // A connection of its own each time.
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  std::shared_ptr<grpc::Channel> Connect() const { return Connect(unix_address()); }
  // On a connected socket of the caller's, who may break it.
  std::shared_ptr<grpc::Channel> ConnectOn(int* fd) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(), sizeof(address.sun_path) - 1);
    *fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(connect(*fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(fcntl(*fd, F_SETFL, O_NONBLOCK), 0);
    return grpc::CreateInsecureChannelFromFd("daemon", *fd);  // closes it at its end
  }

 private:
  TempDir dir_;
  const token::SealedTokenCodec tokens_{std::string(32, 'k'), 7};
  base::SteadyClock clock_;
  base::EventLoop loop_;
  core::Daemon daemon_;
  test::FakeMessageSource* source_;
  std::thread thread_;
  std::unique_ptr<Server> server_;
};

// One Consume stream as an app sees it. Every call on it ends within kTestPatience.
class TestStream {
 public:
  explicit TestStream(const std::shared_ptr<grpc::Channel>& channel) : stub_(v1::ConsumerService::NewStub(channel)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
    stream_ = stub_->Consume(&context_);
  }
  ~TestStream() {
    if (!finished_) {
      context_.TryCancel();
      stream_->Finish();
    }
  }

  // Opens, and takes `Opened` and the first `State`.
  v1::Opened Open(v1::Open open = {}) {
    if (open.consumer().empty()) open.set_consumer("orders");
    v1::ConsumeRequest request;
    *request.mutable_open() = std::move(open);
    Send(request);
    const v1::Opened opened = Expect(v1::ConsumeResponse::kOpened).opened();
    Expect(v1::ConsumeResponse::kState);
    return opened;
  }

  bool Send(const v1::ConsumeRequest& request) { return stream_->Write(request); }
  void Ack(const std::vector<uint64_t>& ids) {
    v1::ConsumeRequest request;
    v1::SettleRun* run = request.mutable_settle()->add_runs();
    run->mutable_ids()->Add(ids.begin(), ids.end());
    run->mutable_ack();
    Send(request);
  }

  std::optional<v1::ConsumeResponse> Read() {
    v1::ConsumeResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  // The next response other than State, which must be of this kind.
  v1::ConsumeResponse Expect(v1::ConsumeResponse::KindCase kind) {
    std::optional<v1::ConsumeResponse> response = Read();
    while (response && response->has_state() && kind != v1::ConsumeResponse::kState) response = Read();
    EXPECT_TRUE(response) << "the stream ended";
    if (!response) return {};
    EXPECT_EQ(response->kind_case(), kind) << response->ShortDebugString();
    return *response;
  }
  std::vector<v1::Delivery> ReadDeliveries(size_t count) {
    std::vector<v1::Delivery> deliveries;
    while (deliveries.size() < count && !::testing::Test::HasFailure()) {
      const v1::ConsumeResponse response = Expect(v1::ConsumeResponse::kDeliveries);
      for (const v1::Delivery& delivery : response.deliveries().deliveries()) deliveries.push_back(delivery);
    }
    return deliveries;
  }

  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  // Reads on to the end.
  grpc::Status Finish() {
    while (Read()) {
    }
    finished_ = true;
    return stream_->Finish();
  }

 private:
  std::unique_ptr<v1::ConsumerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ConsumeRequest, v1::ConsumeResponse>> stream_;
  bool finished_ = false;
};

inline std::vector<uint64_t> Ids(const std::vector<v1::Delivery>& deliveries) {
  std::vector<uint64_t> ids;
  for (const v1::Delivery& delivery : deliveries) ids.push_back(delivery.id());
  return ids;
}

}  // namespace sluice::rpc
