// `sluice dev` as a user runs it: the real binary, real nats-servers, and what it prints and leaves behind.

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "app/dev/child.h"
#include "app/dev/line_reader.h"
#include "app/dev/workspace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "test/support/nats_admin.h"
#include "test/support/nats_server.h"

namespace sluice::dev {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(90);

// One run of the binary. Its temporary folder is this object's.
class Dev {
 public:
  Dev(const std::string& nats_server, const std::vector<std::string>& flags) : workspace_(*Workspace::Make(false)) {
    const std::string binary = (fs::read_symlink("/proc/self/exe").parent_path() / "sluice").string();
    std::vector<std::string> argv = {"/usr/bin/env", absl::StrCat("TMPDIR=", workspace_.folder().string()),
                                     absl::StrCat("SLUICE_NATS_SERVER=", nats_server), binary, "dev"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    process_ = *Child::Start({.name = "sluice dev", .argv = argv, .log = Errors(), .pipe_output = true});
  }

  void Signal(int signal) { process_->Signal(signal); }

  // Reads on until a line contains `text`, or the output ends. Whether it does.
  bool AwaitLine(absl::string_view text) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (size_t seen = 0; absl::Now() < deadline;) {
      for (; seen < lines_.size(); ++seen) {
        if (lines_[seen].find(std::string(text)) != std::string::npos) return true;
      }
      if (reader_.ended()) return false;
      pollfd fd = {process_->output(), POLLIN, 0};
      poll(&fd, 1, 100);
      for (std::string& line : reader_.Read(process_->output())) lines_.push_back(std::move(line));
    }
    return false;
  }

  // Waits for its end.
  void Finish() {
    AwaitLine("no line is like this");
    ASSERT_TRUE(reader_.ended()) << "it did not end:\n" << Output();
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(process_->pid()), &info, WEXITED | WNOWAIT), 0);
    process_->Running();
  }

  int exit_code() const { return process_->exit_code().value_or(-1); }
  const std::vector<std::string>& lines() const { return lines_; }
  std::string last_line() const { return lines_.empty() ? "" : lines_.back(); }
  std::string Output() const { return absl::StrJoin(lines_, "\n") + "\n--- errors:\n" + ErrorText(); }
  std::string ErrorText() const { return process_->LogTail(100); }

  // "acked" of "... acked=7 ..."; -1: it is not there.
  int64_t Count(absl::string_view name) const {
    for (absl::string_view word : absl::StrSplit(last_line(), ' ')) {
      int64_t count = -1;
      if (absl::ConsumePrefix(&word, absl::StrCat(name, "=")) && absl::SimpleAtoi(word, &count)) return count;
    }
    return -1;
  }

  // The folders that it has made and not removed.
  std::vector<std::string> Folders() const {
    std::vector<std::string> folders;
    for (const auto& entry : fs::directory_iterator(workspace_.folder())) {
      if (entry.is_directory()) folders.push_back(entry.path().string());
    }
    return folders;
  }

  // Kills one of its processes, by the pid that it wrote into its folder. Refuses any that is not its child: a number
  // below 1 would name whole groups of processes to kill(), or all there are.
  ::testing::AssertionResult Kill(const std::string& process) const {
    const std::vector<std::string> folders = Folders();
    if (folders.size() != 1) return ::testing::AssertionFailure() << folders.size() << " folders";
    pid_t pid = 0;
    if (!(std::ifstream(absl::StrCat(folders[0], "/", process, ".pid")) >> pid) || pid <= 1) {
      return ::testing::AssertionFailure() << "no pid of the " << process << " in " << folders[0];
    }
    if (ParentOf(pid) != process_->pid()) return ::testing::AssertionFailure() << pid << " is not its child";
    if (kill(pid, SIGKILL) != 0) return ::testing::AssertionFailure() << "kill: errno " << errno;
    return ::testing::AssertionSuccess();
  }

 private:
  std::string Errors() const { return workspace_.Path("errors"); }

  // 0: there is no such process.
  static pid_t ParentOf(pid_t pid) {
    std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
    pid_t parent = 0;
    for (std::string line; std::getline(status, line);) {
      absl::string_view rest = line;
      if (absl::ConsumePrefix(&rest, "PPid:") && !absl::SimpleAtoi(rest, &parent)) return 0;
    }
    return parent;
  }

  const Workspace workspace_;
  std::unique_ptr<Child> process_;
  LineReader reader_;
  std::vector<std::string> lines_;
};

class AppDevTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Orphans of the binary become this process's children, so that they can be found.
  void SetUp() override { ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }

  static void ExpectNothingLeft(const Dev& dev) {
    EXPECT_THAT(dev.Folders(), IsEmpty());
    ExpectNoOrphans();
  }
  static void ExpectNoOrphans() {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }
  static void ExpectClean(const Dev& dev) {
    EXPECT_EQ(dev.exit_code(), 0) << dev.Output();
    EXPECT_THAT(dev.last_line(),
                ::testing::MatchesRegex("sluice dev: published=[0-9]+ acked=[0-9]+ pending=[0-9]+ redelivered=[0-9]+ "
                                        "lost=0 duplicates=0 drain_ms=[0-9]+"))
        << dev.Output();
    EXPECT_EQ(dev.Count("acked") + dev.Count("pending"), dev.Count("published")) << dev.Output();
  }
};

TEST_P(AppDevTest, ShowsMessagesAndDrains) {
  Dev dev(GetParam(), {"--for", "3s", "--rate", "1000"});
  dev.Finish();
  ExpectClean(dev);
  EXPECT_GE(dev.Count("acked"), 500) << dev.Output();
  EXPECT_THAT(dev.Output(), HasSubstr("SERVING"));
  EXPECT_THAT(dev.Output(), HasSubstr("FENCING"));
  ExpectNothingLeft(dev);
}

TEST_P(AppDevTest, ARolloutLosesNothingAndRepeatsNothing) {
  Dev dev(GetParam(), {"--for", "5s", "--restart-every", "1s", "--rate", "1000", "--output", "json"});
  dev.Finish();
  ExpectClean(dev);
  ASSERT_THAT(dev.lines(), SizeIs(2)) << dev.Output();  // with --output json the rest is for standard error
  const nlohmann::json report = nlohmann::json::parse(dev.lines().front());
  EXPECT_EQ(report["clean"], true);
  EXPECT_GE(report["restart_drain_ms"].size(), 1u);
  ExpectNothingLeft(dev);
}

TEST_P(AppDevTest, CtrlCDrains) {
  Dev dev(GetParam(), {"--work", "20ms"});
  ASSERT_TRUE(dev.AwaitLine("1 s ")) << dev.Output();
  dev.Signal(SIGINT);
  dev.Finish();
  ExpectClean(dev);
  EXPECT_GT(dev.Count("acked"), 0);
  ExpectNothingLeft(dev);
}

TEST_P(AppDevTest, AsFastAsItGoes) {
  Dev dev(GetParam(), {"--for", "2s", "--rate", "0", "--work", "0s"});
  dev.Finish();
  ExpectClean(dev);
  EXPECT_GT(dev.Count("acked"), 2'000) << dev.Output();
}

TEST_P(AppDevTest, AKilledDaemonIsNamedAndNotClean) {
  Dev dev(GetParam(), {"--keep"});
  ASSERT_TRUE(dev.AwaitLine("1 s ")) << dev.Output();
  ASSERT_TRUE(dev.Kill("daemon"));
  dev.Finish();
  EXPECT_EQ(dev.exit_code(), 1) << dev.Output();
  EXPECT_THAT(dev.ErrorText(), HasSubstr("the daemon ended unexpectedly (killed by signal 9)"));
  EXPECT_THAT(dev.last_line(), HasSubstr("sluice dev: published="));
  EXPECT_GT(dev.Count("published"), 0);
  EXPECT_EQ(dev.Count("lost"), 0) << dev.Output();
  ASSERT_THAT(dev.Folders(), SizeIs(1));  // --keep
  EXPECT_THAT(dev.Output(), HasSubstr(absl::StrCat("Kept: ", dev.Folders()[0])));
  ExpectNoOrphans();
}

TEST_P(AppDevTest, AKilledAppIsNamed) {
  Dev dev(GetParam(), {});
  ASSERT_TRUE(dev.AwaitLine("1 s ")) << dev.Output();
  ASSERT_TRUE(dev.Kill("app"));
  dev.Finish();
  EXPECT_EQ(dev.exit_code(), 1) << dev.Output();
  EXPECT_THAT(dev.ErrorText(), HasSubstr("the app ended unexpectedly (killed by signal 9)"));
  EXPECT_THAT(dev.last_line(), HasSubstr("sluice dev: published="));
  ExpectNothingLeft(dev);
}

TEST_P(AppDevTest, AKilledNatsServerIsNamed) {
  Dev dev(GetParam(), {});
  ASSERT_TRUE(dev.AwaitLine("1 s ")) << dev.Output();
  ASSERT_TRUE(dev.Kill("nats-server"));
  dev.Finish();
  EXPECT_EQ(dev.exit_code(), 1) << dev.Output();
  EXPECT_THAT(dev.ErrorText(), HasSubstr("the nats-server ended unexpectedly (killed by signal 9)"));
  EXPECT_THAT(dev.last_line(), HasSubstr("sluice dev: published="));
  ExpectNothingLeft(dev);
}

TEST_P(AppDevTest, UsesARunningServerAndLeavesNoStream) {
  const auto server = test::NatsServer::Start({.binary = GetParam()});
  ASSERT_TRUE(server.ok()) << server.status();
  {
    Dev dev("/no/such/nats-server", {"--for", "1s", "--nats", (*server)->url()});
    dev.Finish();
    ExpectClean(dev);
    EXPECT_GT(dev.Count("acked"), 0) << dev.Output();
  }
  const auto admin = test::JetStreamAdmin::Connect((*server)->url());
  ASSERT_TRUE(admin.ok()) << admin.status();
  const absl::StatusOr<nlohmann::json> names = (*admin)->Api("STREAM.NAMES");
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_EQ((*names)["total"], 0);
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = absl::StrCat("nats_", test::NatsServerVersion(info.param));
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Servers, AppDevTest, ::testing::ValuesIn(test::NatsServerBinaries()), TestName);

TEST(AppDevErrorTest, WithoutANatsServerItSaysWhatToDo) {
  Dev dev("/no/such/nats-server", {});
  dev.Finish();
  EXPECT_EQ(dev.exit_code(), 1);
  EXPECT_EQ(dev.ErrorText(),
            "sluice dev: $SLUICE_NATS_SERVER, /no/such/nats-server, is not a program; correct or unset it");
  EXPECT_EQ(dev.Output().substr(0, dev.Output().find('\n')),
            "sluice dev: published=0 acked=0 pending=0 redelivered=0 lost=0 duplicates=0 drain_ms=0");
  EXPECT_THAT(dev.Folders(), IsEmpty());
}

TEST(AppDevErrorTest, AnUnreachableServerIsNamed) {
  const std::string url = absl::StrCat("nats://127.0.0.1:", test::FreePort());
  Dev dev("", {"--nats", url});
  dev.Finish();
  EXPECT_EQ(dev.exit_code(), 1);
  EXPECT_THAT(dev.ErrorText(), HasSubstr(absl::StrCat("cannot connect to NATS at ", url)));
  EXPECT_THAT(dev.last_line(), HasSubstr("published=0"));
}

TEST(AppDevErrorTest, BadFlagsAreOneLine) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--for", "soon"}, {"--rate", "-1"}, {"--size", "3"}, {"--concurrency", "0"}, {"--output", "xml"}}) {
    Dev dev("", flags);
    dev.Finish();
    EXPECT_EQ(dev.exit_code(), 78) << flags[0];
    EXPECT_THAT(dev.ErrorText(), HasSubstr(flags[0]));
    EXPECT_EQ(dev.ErrorText().find('\n'), std::string::npos) << dev.ErrorText();
  }
}

}  // namespace
}  // namespace sluice::dev
