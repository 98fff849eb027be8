#include "admin/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "test/support/http.h"

namespace sluice::admin {
namespace {

using test::HttpAnswer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : daemon_(&loop_.timers()), thread_([this] { loop_.Run(); }) {
    facts_.version = "1.2.3";
    facts_.nats = [] { return NatsFacts{true, "nats://there:4222", 0, ""}; };
    facts_.reload = [] { return ReloadFacts(); };
    facts_.dial = [](absl::Duration) { return absl::OkStatus(); };
    facts_.cancel_dial = [] {};
    facts_.quit = [this] { quit_.Notify(); };
  }
  ~ServerTest() override {
    server_ = nullptr;
    loop_.Stop();
    thread_.join();
  }

  void Start(ServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    auto server = Server::Start(options, facts_, &loop_, &daemon_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  HttpAnswer Get(const std::string& path) { return test::HttpGet(server_->port(), path); }

  bool LivezBecomes(int status) {
    const absl::Time latest = absl::Now() + absl::Seconds(30);
    while (Get("/livez").status != status && absl::Now() < latest) absl::SleepFor(absl::Milliseconds(2));
    return Get("/livez").status == status;
  }

  const base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};
  core::Daemon daemon_;
  Facts facts_;
  absl::Notification quit_;
  std::thread thread_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ServesProbesAndMetrics) {
  Start();
  EXPECT_EQ(Get("/startupz").status, 503);
  server_->SetStarted();
  EXPECT_EQ(Get("/startupz").status, 200);
  EXPECT_EQ(Get("/readyz?verbose").body, "ready: serving apps, connected to NATS at nats://there:4222\n");
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_THAT(Get("/metrics").body, HasSubstr("sluice_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_EQ(Get("/../etc/passwd").status, 404);
  const HttpAnswer head = test::Http("HEAD", server_->port(), "/livez");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_THAT(test::Http("POST", server_->port(), "/livez").head, HasSubstr("Allow: GET, HEAD"));
}

TEST_F(ServerTest, ADrainTurnsItUnready) {
  Start();
  server_->SetStarted();
  loop_.Post([this] { daemon_.Drain(absl::Seconds(10)); });
  EXPECT_EQ(Get("/readyz").body, "not ready: drained; waits for SIGTERM\n");
}

TEST_F(ServerTest, AStuckLoopAndItsRecovery) {
  Start({.liveness_timeout = absl::Milliseconds(300)});
  server_->SetStarted();
  absl::Notification release;
  loop_.Post([&release] { release.WaitForNotification(); });
  EXPECT_EQ(Get("/readyz").body, "not ready: the event loop does not answer\n");
  ASSERT_TRUE(LivezBecomes(503));
  EXPECT_THAT(Get("/livez").body, StartsWith("not alive: the event loop does not answer, for "));
  release.Notify();
  EXPECT_TRUE(LivezBecomes(200));
}

TEST_F(ServerTest, QuitsByPost) {
  Start({.quit = true});
  EXPECT_EQ(test::Http("POST", server_->port(), "/quitquitquit").status, 200);
  EXPECT_TRUE(quit_.HasBeenNotified());
}

// A client that says nothing must not hold up the kubelet.
TEST_F(ServerTest, SilentClientsHoldUpNobody) {
  Start();
  server_->SetStarted();
  const int silent = Connect(server_->port());
  const int another = Connect(server_->port());
  EXPECT_EQ(Get("/livez").status, 200);
  close(silent);
  close(another);
}

TEST_F(ServerTest, EndsAtOnce) {
  Start();
  server_->SetStarted();
  Get("/livez");
  const absl::Time start = absl::Now();
  server_ = nullptr;
  EXPECT_LT(absl::Now() - start, absl::Seconds(1)) << "the final phase of a pod has 1.5 s for everything";
}

TEST_F(ServerTest, AnAddressThatIsTakenIsSaidSo) {
  Start();
  const auto second = Server::Start({.listen = absl::StrCat("127.0.0.1:", server_->port())}, facts_, &loop_, &daemon_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace sluice::admin
