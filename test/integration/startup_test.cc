// What keeps the daemon from starting: exit 78, one line, where, and what to do.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/integration/daemon_process.h"
#include "test/integration/process.h"
#include "test/support/nats_server.h"

namespace sluice::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kExitConfig = 78;

class StartupTest : public testing::Test {
 protected:
  // No nats-server is there, and none is needed to start.
  DaemonOptions Options() const {
    DaemonOptions options;
    options.nats_url = absl::StrCat("nats://127.0.0.1:", test::FreePort());
    return options;
  }
  std::string Yaml() const { return Options().ToYaml(SocketPath(dir_.path())); }
  // Of `sluice serve` with this file; its standard error.
  std::string ExpectRefused(const std::string& yaml) {
    WriteFile(dir_ / "bad.yaml", yaml);
    return ExpectRefusedFile(dir_ / "bad.yaml");
  }
  std::string ExpectRefusedFile(const std::string& path) {
    const Finished finished = RunCommand({SluiceBinary(), "serve", "--config", path});
    EXPECT_EQ(finished.exit_code, kExitConfig) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    return finished.err;
  }

  const TempDir dir_;
};

TEST_F(StartupTest, UnknownKey) {
  EXPECT_THAT(ExpectRefused(Yaml() + "    reusme_window: 5s\n"),
              AllOf(HasSubstr("bad.yaml:14:5: "), HasSubstr("reusme_window"), HasSubstr("'resume_window'")));
}

TEST_F(StartupTest, WrongTypeAndBadDuration) {
  EXPECT_THAT(ExpectRefused(Yaml() + "    max_streams: many\n"), HasSubstr("bad.yaml:14:18: "));
  EXPECT_THAT(ExpectRefused(Yaml() + "    resume_window: 5 parsecs\n"), HasSubstr("bad.yaml:14:20: "));
}

TEST_F(StartupTest, MissingFile) { EXPECT_THAT(ExpectRefusedFile(dir_ / "absent.yaml"), HasSubstr("absent.yaml")); }

TEST_F(StartupTest, UnreadableCredentials) {
  const std::string credentials = dir_ / "absent.creds";
  EXPECT_THAT(ExpectRefused(absl::StrCat("nats: {credentials_file: ", credentials,
                                         "}\nconsumers: [{name: orders, stream: S}]\n")),
              HasSubstr(credentials));
}

TEST_F(StartupTest, PortTaken) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string taken = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  EXPECT_THAT(
      ExpectRefused(absl::StrCat("listen: {unix: '', tcp: '", taken, "'}\nconsumers: [{name: orders, stream: S}]\n")),
      HasSubstr(taken));
  close(fd);
}

TEST_F(StartupTest, SocketOfALiveDaemonIsLeftAlone) {
  DaemonProcess daemon(dir_.path(), Options());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  EXPECT_THAT(ExpectRefused(Yaml()), HasSubstr(SocketPath(dir_.path())));
  EXPECT_EQ(daemon.Status().phase(), "SERVING");
  EXPECT_EQ(daemon.Terminate(), 0);
}

TEST_F(StartupTest, SocketOfADeadDaemonIsReplaced) {
  DaemonProcess first(dir_.path(), Options());
  ASSERT_TRUE(first.AwaitServing().ok());
  first.Signal(SIGKILL);
  ASSERT_EQ(first.Wait(), -SIGKILL);
  ASSERT_EQ(access(SocketPath(dir_.path()).c_str(), F_OK), 0);
  DaemonProcess second(dir_.path(), Options());
  EXPECT_TRUE(second.AwaitServing().ok());
  EXPECT_EQ(second.Terminate(), 0);
}

}  // namespace
}  // namespace sluice::integration
