#include "rpc/self_call.h"

#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/tcp_address.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// A socket that connects, as the kernel does that, and behind which nobody accepts.
class DeafSocket {
 public:
  DeafSocket() : path_(dir_ / "deaf.sock"), fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
  }
  ~DeafSocket() { close(fd_); }
  std::string address() const { return "unix:" + path_; }

 private:
  const TempDir dir_;
  const std::string path_;
  const int fd_;
};

TEST(SelfCallTest, EveryAddressOfADaemonAnswers) {
  TestDaemon daemon;
  EXPECT_THAT(daemon.server().addresses(), SizeIs(2));
  SelfCall call(daemon.server().addresses());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call.Try(kTestPatience), absl::OkStatus());
}

TEST(SelfCallTest, ADaemonThatIsGone) {
  TestDaemon daemon;
  SelfCall call(daemon.server().addresses());
  daemon.server().Shutdown();
  EXPECT_TRUE(absl::IsUnavailable(call.Try(kTestPatience)));
}

TEST(SelfCallTest, AListenerThatAcceptsNoMore) {
  TestDaemon daemon;
  DeafSocket deaf;
  std::vector<std::string> addresses = daemon.server().addresses();
  addresses.push_back(deaf.address());
  SelfCall call(addresses);
  const absl::Status status = call.Try(absl::Seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("deaf.sock"));
}

TEST(SelfCallTest, CancelEndsTheCallAndAllLaterOnes) {
  DeafSocket deaf;
  SelfCall call({deaf.address()});
  const absl::Time start = absl::Now();
  std::thread canceller([&call] { call.Cancel(); });
  EXPECT_TRUE(absl::IsCancelled(call.Try(absl::Hours(1))));
  EXPECT_TRUE(absl::IsCancelled(call.Try(absl::Hours(1))));
  EXPECT_LT(absl::Now() - start, kTestPatience);
  canceller.join();
}

TEST(SelfCallTest, AWildcardIsDialledOnTheLoopback) {
  EXPECT_EQ(DialAddress("0.0.0.0:0", 7070), "127.0.0.1:7070");
  EXPECT_EQ(DialAddress("[::]:7070", 7070), "[::1]:7070");
  EXPECT_EQ(DialAddress("10.0.0.1:7070", 7070), "10.0.0.1:7070");
}

}  // namespace
}  // namespace sluice::rpc
