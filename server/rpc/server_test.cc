#include "rpc/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/raw_call.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

TEST(ServerTest, ReflectionByOption) {
  const std::string list_services("\x3a\x00", 2);
  TestDaemon without;
  EXPECT_EQ(RawCall(without.Connect(), kReflection, list_services).status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  TestDaemon with(/*reflection=*/true);
  const std::string listed = RawCall(with.Connect(), kReflection, list_services).response;
  EXPECT_THAT(listed, HasSubstr("sluice.v1.ConsumerService"));
  EXPECT_THAT(listed, HasSubstr("grpc.health.v1.Health"));
  const std::string health_file("\x22\x15grpc.health.v1.Health");
  EXPECT_THAT(RawCall(with.Connect(), kReflection, health_file).response, HasSubstr("HealthCheckRequest"));
}

TEST(ServerTest, TheSocketIsForUserAndGroup) {
  TestDaemon daemon;
  struct stat info {};
  ASSERT_EQ(stat(daemon.socket_path().c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST(ServerTest, TheSocketGoesWithTheServer) {
  TestDaemon daemon;
  daemon.server().Shutdown();
  EXPECT_FALSE(std::filesystem::exists(daemon.socket_path()));
}

// Writes bytes that are no HTTP/2 and waits until the server closes the connection.
void SendRubbish(int fd, const sockaddr* address, socklen_t size) {
  ASSERT_EQ(connect(fd, address, size), 0) << strerror(errno);
  const std::string rubbish(100'000, '\xa5');
  static_cast<void>(send(fd, rubbish.data(), rubbish.size(), MSG_NOSIGNAL));
  char buffer[4096];
  while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
  }
  close(fd);
}

TEST(ServerTest, RubbishOnASocketEndsThatConnectionOnly) {
  TestDaemon daemon;
  TestStream stream(daemon.Connect());
  stream.Open();

  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::strncpy(local.sun_path, daemon.socket_path().c_str(), sizeof(local.sun_path) - 1);
  sockaddr_in tcp{};
  tcp.sin_family = AF_INET;
  tcp.sin_port = htons(static_cast<uint16_t>(daemon.server().tcp_port()));
  tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < 20; ++i) {
    SendRubbish(socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&local), sizeof(local));
    SendRubbish(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&tcp), sizeof(tcp));
  }
  daemon.Publish(1);
  EXPECT_THAT(stream.ReadDeliveries(1), SizeIs(1));
}

TEST(ServerTest, AMethodThatIsNotThere) {
  TestDaemon daemon;
  for (const char* method : {"/sluice.v1.ConsumerService/NoSuchMethod", "/no.such.Service/Method"}) {
    EXPECT_EQ(RawCall(daemon.Connect(), method, "").status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
}

// Mutation: nothing is asked for after a call whose request did not parse.
TEST(ServerTest, ARubbishRequestEndsThatCallOnly) {
  TestDaemon daemon;
  const auto channel = daemon.Connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(RawCall(channel, "/sluice.v1.ConsumerService/GetConsumer", "\xff").status.ok());
    EXPECT_TRUE(RawCall(channel, "/sluice.v1.ConsumerService/GetConsumer", "\x0a\x06orders").status.ok());
  }
}

// --- addresses that cannot be had ---

class ListenTest : public ::testing::Test {
 protected:
  ListenTest() : loop_(&clock_), daemon_(&loop_.timers()) {}

  absl::Status Listen(const std::string& unix_socket, const std::string& tcp) {
    ServerOptions options;
    options.unix_socket = unix_socket;
    options.tcp = tcp;
    return Server::Start(std::move(options), &loop_, &daemon_).status();
  }
  std::string Refused(const std::string& unix_socket, const std::string& tcp) {
    return std::string(Listen(unix_socket, tcp).message());
  }

  TempDir dir_;
  base::SteadyClock clock_;
  base::EventLoop loop_;  // never runs: nothing is started
  core::Daemon daemon_;
};

TEST_F(ListenTest, NothingToListenOn) { EXPECT_THAT(Refused("", ""), HasSubstr("nothing to listen on")); }

TEST_F(ListenTest, ATakenPort) {
  TestDaemon other;
  EXPECT_THAT(Refused("", other.tcp_address()), HasSubstr("the port is taken; stop who has it"));
}

TEST_F(ListenTest, ARefusalIsTheOnlyThingSaid) {
  struct Lines final : base::LogSink {
    ~Lines() override { base::SetLogSink(nullptr); }
    bool Enabled(base::Severity) const override { return true; }
    void Write(base::Severity, absl::string_view message, const std::vector<base::LogField>&) override {
      lines.emplace_back(message);
    }
    std::vector<std::string> lines;
  };
  TestDaemon other;
  Lines log;
  base::SetLogSink(&log);
  EXPECT_THAT(Refused("", other.tcp_address()), HasSubstr("the port is taken"));
  EXPECT_THAT(log.lines, ::testing::IsEmpty());
}

TEST_F(ListenTest, ATakenSocket) {
  TestDaemon other;
  EXPECT_THAT(Refused(other.socket_path(), ""), HasSubstr("another process serves the socket"));
  TestStream stream(other.Connect());
  stream.Open();  // it still does
}

TEST_F(ListenTest, ATakenPortLeavesNoSocket) {
  TestDaemon other;
  EXPECT_THAT(Refused(dir_ / "s", other.tcp_address()), HasSubstr("the port is taken"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "s"));
}

TEST_F(ListenTest, ForeignAddress) {
  EXPECT_THAT(Refused("", "192.0.2.1:0"), HasSubstr("configure an address of this machine"));
}

TEST_F(ListenTest, NoHostPort) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:", ":1", "127.0.0.1:65536", "127.0.0.1:http", "::1", "unix:/x"}) {
    EXPECT_THAT(Refused("", address), HasSubstr("is no host:port")) << address;
  }
}

TEST_F(ListenTest, ASocketWithAnyNameWorks) {
  std::thread thread([this] { loop_.Run(); });
  ServerOptions options;
  options.unix_socket = dir_ / "a b%?#";
  auto server = Server::Start(std::move(options), &loop_, &daemon_);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(std::filesystem::exists(dir_ / "a b%?#"));
  server->reset();
  loop_.Stop();
  thread.join();
}

}  // namespace
}  // namespace sluice::rpc
