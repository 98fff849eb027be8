// What Kubernetes and Docker do to the real binary: probes, hooks, quitting, an image's restrictions, and the faults
// that liveness is there for. NATS is nowhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/binary_fixture.h"
#include "app/exit_code.h"
#include "test/support/http.h"

namespace sluice::app {
namespace {

using integration::Eventually;
using integration::Finished;
using integration::kPatience;
using integration::Process;
using integration::ReadFile;
using integration::SluiceBinary;
using integration::WriteFile;
using test::Http;
using test::HttpAnswer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LifecycleTest : public ServeTest {
 protected:
  // `admin`: more of its keys, behind a comma.
  std::unique_ptr<Process> ServeAdmin(const std::string& admin = "", const std::string& address = "127.0.0.1:0") {
    Configure(absl::StrCat("admin: {listen: '", address, "'", admin, "}\n"));
    auto process = Serve();
    FindPort();
    return process;
  }
  // The line comes a moment later than the answer.
  void FindPort() {
    EXPECT_TRUE(Eventually([this] {
      for (absl::string_view line : absl::StrSplit(Log(), '\n', absl::SkipEmpty())) {
        const auto json = nlohmann::json::parse(line, nullptr, false);
        if (json.is_object() && json.value("msg", "") == "serving") port_ = std::stoi(json.value("admin_port", "0"));
      }
      return port_ > 0;
    })) << Log();
  }
  HttpAnswer Get(const std::string& path) { return test::HttpGet(port_, path); }
  bool Becomes(const std::string& path, int status) {
    return Eventually([&] { return Get(path).status == status; });
  }
  Finished Drain(std::vector<std::string> more) {
    more.insert(more.begin(), {"drain", "--address", address_});
    return Sluice(more);
  }
  void ExpectEnds(Process& process, int exit_code = kExitOk) { EXPECT_EQ(process.Wait(kPatience), exit_code) << Log(); }

  int port_ = 0;
};

// --- probes ---

TEST_F(LifecycleTest, ProbesWithoutNats) {
  const auto process = ServeAdmin();
  EXPECT_EQ(Get("/startupz").status, 200);
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_THAT(Get("/readyz").body, StartsWith("not ready: not connected to NATS"));
  EXPECT_THAT(Get("/metrics").body, HasSubstr("sluice_nats_connected 0\n"));
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

TEST_F(LifecycleTest, ReadinessFollowsTheDrainAndLivenessDoesNot) {
  const auto process = ServeAdmin(", readiness: process");
  EXPECT_EQ(Get("/readyz").body, "ready: serving apps\n");
  ASSERT_EQ(Drain({"--wait"}).exit_code, kExitOk);
  EXPECT_EQ(Get("/readyz").body, "not ready: drained; waits for SIGTERM\n");
  EXPECT_EQ(Get("/startupz").status, 200);
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_THAT(Get("/metrics").body, HasSubstr("sluice_drain_state{stream=\"ORDERS\",consumer=\"orders\"} 6\n"));
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

TEST_F(LifecycleTest, AnAddressThatIsTakenIsConfiguration) {
  const auto process = ServeAdmin();
  const Finished second = Sluice({"serve", "-c", file_, "--listen-unix", dir_ / "other.sock", "--admin-listen",
                                  absl::StrCat("127.0.0.1:", port_)});
  EXPECT_EQ(second.exit_code, kExitConfiguration);
  EXPECT_THAT(second.err, HasSubstr(absl::StrCat("admin.listen: cannot listen on 127.0.0.1:", port_)));
  EXPECT_EQ(Get("/livez").status, 200) << "the first one is unharmed";
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// Probes and scrapes must not hold up the end: the final phase of a pod has 1.5 s for everything.
TEST_F(LifecycleTest, EndsInTimeThoughItIsProbed) {
  const auto process = ServeAdmin();
  Get("/metrics");
  const absl::Time start = absl::Now();
  process->Signal(SIGTERM);
  ExpectEnds(*process);
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(1500));
}

// --- faults ---

// A limit that the process is already beyond: whatever it opens fails with EMFILE.
void LimitFiles(pid_t pid, rlim_t most, rlimit* before) {
  rlimit limit{};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
  if (before != nullptr) *before = limit;
  limit.rlim_cur = most;
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
}

// One accept() that fails for want of a file descriptor stops gRPC's listener for good.
TEST_F(LifecycleTest, LivenessNoticesADeadListener) {
  const auto process = ServeAdmin(", liveness_timeout: 900ms");
  ASSERT_EQ(Get("/livez").status, 200);
  rlimit before{};
  LimitFiles(process->pid(), 1, &before);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::strncpy(path.sun_path, (dir_ / "s.sock").c_str(), sizeof(path.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&path), sizeof(path)), 0) << "the kernel takes it";
  ASSERT_TRUE(Eventually([this] { return Log().find("accept") != std::string::npos; })) << Log();
  LimitFiles(process->pid(), before.rlim_cur, nullptr);

  EXPECT_FALSE(IsHealthy()) << "with all the descriptors in the world, it accepts no more";
  ASSERT_TRUE(Becomes("/livez", 503)) << Log();
  EXPECT_THAT(Get("/livez").body, StartsWith("not alive: gRPC does not answer: unix:"));
  EXPECT_THAT(Get("/metrics").body, HasSubstr("sluice_alive 0\n"));
  EXPECT_THAT(Log(), HasSubstr("not alive: /livez asks for a restart"));
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// A machine that sleeps, a debugger, a starved node: no reason for a restart.
TEST_F(LifecycleTest, LivenessForgivesAPauseOfTheWholeProcess) {
  const auto process = ServeAdmin(", liveness_timeout: 900ms");
  process->Signal(SIGSTOP);
  absl::SleepFor(absl::Seconds(3));  // the fault itself takes time
  process->Signal(SIGCONT);
  const absl::Time until = absl::Now() + absl::Seconds(2);
  while (absl::Now() < until) {
    const HttpAnswer live = Get("/livez");
    ASSERT_EQ(live.status, 200) << live.body;
  }
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// --- hooks and commands ---

TEST_F(LifecycleTest, WaitReturnsWhenItServes) {
  const Finished early = Sluice({"wait", "--address", address_, "--timeout", "200ms"});
  EXPECT_EQ(early.exit_code, kExitUnavailable);
  EXPECT_THAT(early.err, StartsWith("sluice wait: gave up after 200ms: no daemon at " + address_));
  EXPECT_EQ(std::count(early.err.begin(), early.err.end(), '\n'), 1) << early.err;

  Process wait({SluiceBinary(), "wait", "--address", address_, "--timeout", "40s"}, dir_ / "wait.out",
               dir_ / "wait.err");
  const auto process = Serve();
  EXPECT_EQ(wait.Wait(kPatience), kExitOk);
  EXPECT_THAT(ReadFile(dir_ / "wait.out"), StartsWith("serving, after "));

  ASSERT_EQ(Drain({"--wait"}).exit_code, kExitOk);
  const Finished late = Sluice({"wait", "--address", address_, "--timeout", "200ms"});
  EXPECT_EQ(late.exit_code, kExitUnavailable);
  EXPECT_THAT(late.err, HasSubstr("it does not serve: it starts, or it drains"));
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// A kubelet that is restarted in the middle of a drain runs the hook again, from its beginning.
TEST_F(LifecycleTest, TheHookBearsBeingRunAgain) {
  const auto process = Serve();
  const std::vector<std::string> hook = {SluiceBinary(), "drain", "--wait", "--timeout", "30s", "--address", address_};
  Process first(hook, dir_ / "hook.out", dir_ / "hook.err");
  ASSERT_TRUE(Eventually([this] { return Log().find("\"draining\"") != std::string::npos; })) << Log();
  first.Signal(SIGKILL);
  for (int i = 0; i < 2; ++i) {
    Process again(hook, dir_ / "hook.out", dir_ / "hook.err");
    EXPECT_EQ(again.Wait(kPatience), kExitOk) << ReadFile(dir_ / "hook.err");
  }
  const std::string log = Log();
  const size_t begin = log.find("\"draining\"");
  EXPECT_EQ(log.find("\"draining\"", begin + 1), std::string::npos) << "one drain";
  EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt) << "it stays for SIGTERM";
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// --- quitting ---

TEST_F(LifecycleTest, QuitsWhenAskedFromThePod) {
  const auto process = ServeAdmin(", quit: true", "0.0.0.0:0");
  EXPECT_EQ(Http("GET", port_, "/quitquitquit").status, 405);
  const HttpAnswer answer = Http("POST", port_, "/quitquitquit");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "draining, then the daemon ends\n");
  ExpectEnds(*process);
  EXPECT_THAT(Log(), HasSubstr("all drained"));
}

TEST_F(LifecycleTest, QuitsOnlyIfSwitchedOn) {
  const auto process = ServeAdmin();
  EXPECT_EQ(Http("POST", port_, "/quitquitquit").status, 403);
  EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt);
  EXPECT_EQ(Get("/livez").status, 200);
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// An IPv4 address of this machine that is not the loopback's; empty: it has none.
std::string AddressOfThisMachine() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "";
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    const in_addr address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    const uint32_t host = ntohl(address.s_addr);
    if (host >> IN_CLASSA_NSHIFT != IN_LOOPBACKNET) {
      return absl::StrCat(host >> 24, ".", (host >> 16) & 255, ".", (host >> 8) & 255, ".", host & 255);
    }
  }
  return "";
}

// Where the machine has no other address, HandlerTest has to do.
TEST_F(LifecycleTest, QuitsForNobodyElse) {
  const std::string address = AddressOfThisMachine();
  const auto process = ServeAdmin(", quit: true", "0.0.0.0:0");
  if (!address.empty()) {
    EXPECT_EQ(test::HttpAt(address, "GET", port_, "/livez").status, 200) << "probes come from there";
    EXPECT_EQ(test::HttpAt(address, "POST", port_, "/quitquitquit").status, 403);
  }
  EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt);
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// --- the restrictions of an image ---

// Another user without capabilities, a root that cannot be written, the socket's folder as the one that can.
constexpr char kRestricted[] = R"(set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro /
exec setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
  "$1/sluice" serve --config "$1/sluice.yaml"
)";

TEST_F(LifecycleTest, RunsRestrictedAndLeavesItsLastWords) {
  const std::string last_words = dir_ / "termination-log";
  WriteFile(last_words, "");
  ASSERT_EQ(chmod(last_words.c_str(), 0666), 0);  // as the kubelet makes it
  Configure("admin: {listen: '127.0.0.1:0'}\n");
  setenv("SLUICE_TERMINATION_LOG", last_words.c_str(), 1);
  const auto unset = absl::MakeCleanup([] { unsetenv("SLUICE_TERMINATION_LOG"); });
  const bool is_root = geteuid() == 0;  // others are restricted as it is, and may not mount
  std::vector<std::string> command = {SluiceBinary(), "serve", "--config", file_};
  if (is_root) {
    std::filesystem::copy_file(SluiceBinary(), dir_ / "sluice");
    ASSERT_EQ(chown(dir_.path().c_str(), 65532, 65532), 0);
    command = {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", kRestricted, "sh", dir_.path()};
  }
  Process process(command, dir_ / "out", dir_ / "log");
  ASSERT_TRUE(Eventually([&] { return IsHealthy() || process.Wait(absl::ZeroDuration()).has_value(); })) << Log();
  ASSERT_EQ(process.Wait(absl::ZeroDuration()), std::nullopt) << Log();
  struct stat socket {};
  ASSERT_EQ(stat((dir_ / "s.sock").c_str(), &socket), 0);
  EXPECT_EQ(socket.st_uid, is_root ? 65532u : geteuid());
  EXPECT_EQ(socket.st_mode & 0777, 0660u);
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kPatience), kExitOk) << Log();
  EXPECT_THAT(ReadFile(last_words), StartsWith("drained: awaited=0 "));
}

// --- reload ---

class ReloadTest : public LifecycleTest {
 protected:
  // What has come, and what comes; waits for a moment.
  const std::string& ReadTerminal(int terminal) {
    pollfd ready = {terminal, POLLIN, 0};
    char buffer[4096];
    if (poll(&ready, 1, 10) == 1) {
      const ssize_t got = read(terminal, buffer, sizeof(buffer));
      if (got > 0) shown_.append(buffer, static_cast<size_t>(got));
    }
    return shown_;
  }
  // A second configuration with the same socket and port.
  void Rewrite(const std::string& more, const std::string& consumer = "") {
    Configure(absl::StrCat("admin: {listen: '127.0.0.1:0'}\n", more), consumer);
  }
  bool MetricBecomes(int successful) {
    const std::string line = absl::StrCat("sluice_config_last_reload_successful ", successful, "\n");
    return Eventually([&] { return Get("/metrics").body.find(line) != std::string::npos; });
  }

  std::string shown_;
};

TEST_F(ReloadTest, TheLogLevelChangesWithTheFile) {
  const auto process = ServeAdmin();
  Rewrite("log: {level: debug}\n");
  EXPECT_TRUE(Eventually([this] { return Log().find("the configuration is reloaded") != std::string::npos; })) << Log();
  ASSERT_EQ(Drain({"--wait"}).exit_code, kExitOk);
  EXPECT_THAT(Log(), HasSubstr("\"debug\"")) << "the phases of a drain are told at this level";
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

TEST_F(ReloadTest, ABadFileKeepsTheOldOneAndShows) {
  const auto process = ServeAdmin();
  EXPECT_TRUE(MetricBecomes(1));
  Rewrite("conusmers: []\n");
  ASSERT_TRUE(MetricBecomes(0));
  EXPECT_THAT(Log(), HasSubstr(file_ + ":5:1: unknown key 'conusmers', did you mean 'consumers'?"));
  EXPECT_TRUE(IsHealthy());
  Rewrite("");
  EXPECT_TRUE(MetricBecomes(1)) << Log();
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

TEST_F(ReloadTest, WhatCannotChangeIsNamedAndChangesNothing) {
  const auto process = ServeAdmin();
  Rewrite("log: {level: debug}\n", "    pull: {batch: 7}\n");
  ASSERT_TRUE(MetricBecomes(0));
  EXPECT_THAT(Log(),
              HasSubstr("cannot change while the daemon runs: consumers[0].pull.batch; restart it, or set them back"));
  ASSERT_EQ(Drain({"--wait"}).exit_code, kExitOk);
  EXPECT_EQ(Log().find("\"debug\""), std::string::npos) << "not even the rest of it";
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

TEST_F(ReloadTest, BySignalAlone) {
  Configure("admin: {listen: '127.0.0.1:0'}\nreload: {interval: 0s}\n");
  const auto process = Serve();
  FindPort();
  process->Signal(SIGHUP);
  EXPECT_TRUE(Eventually([this] { return Log().find("the configuration is reloaded") != std::string::npos; })) << Log();
  EXPECT_THAT(Log(), HasSubstr("\"why\":\"SIGHUP\""));
  // Counted after it is told.
  EXPECT_TRUE(
      Eventually([this] { return Get("/metrics").body.find("sluice_config_reloads_total 1\n") != std::string::npos; }));
  EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt) << "it serves on";
  process->Signal(SIGTERM);
  ExpectEnds(*process);
}

// The kernel's SIGHUP: nobody is there any more.
TEST_F(ReloadTest, AClosedTerminalDrains) {
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(SluiceBinary().c_str(), "sluice", "serve", "-c", file_.c_str(), nullptr);
    _exit(127);
  }
  auto reap = absl::MakeCleanup([pid] {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  });
  ASSERT_TRUE(Eventually([this] { return IsHealthy(); }));
  kill(pid, SIGHUP);  // somebody asks for a reload, on a terminal that is there
  ASSERT_TRUE(
      Eventually([&] { return ReadTerminal(terminal).find("the configuration is reloaded") != std::string::npos; }));
  close(terminal);
  int status = 0;
  pid_t ended = 0;
  EXPECT_TRUE(Eventually([&] { return (ended = waitpid(pid, &status, WNOHANG)) == pid; }));
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), kExitOk);
  if (ended == pid) std::move(reap).Cancel();
}

}  // namespace
}  // namespace sluice::app
