// `sluice` itself, as a shell sees it. What the daemon does with messages is test/integration's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/exit_code.h"
#include "test/integration/await.h"
#include "test/integration/process.h"

namespace sluice::app {
namespace {

using integration::Eventually;
using integration::Finished;
using integration::Process;
using integration::ReadFile;
using integration::RunCommand;
using integration::SluiceBinary;
using integration::TempDir;
using integration::WriteFile;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Finished Sluice(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SluiceBinary());
  return RunCommand(arguments);
}

TEST(Binary, EveryCommandHasHelpWithExamples) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"serve"},
                                                                                       {"dev"},
                                                                                       {"consume"},
                                                                                       {"drain"},
                                                                                       {"status"},
                                                                                       {"healthcheck"},
                                                                                       {"config", "check"},
                                                                                       {"config", "print"},
                                                                                       {"version"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const Finished help = Sluice(arguments);
    EXPECT_EQ(help.exit_code, kExitOk) << command[0];
    EXPECT_THAT(help.out, HasSubstr("Examples:\n  sluice " + command[0])) << command[0];
  }
}

TEST(Binary, BadFlagsAreConfiguration) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{},
                                                                                         {"sevre"},
                                                                                         {"serve", "--confg", "x"},
                                                                                         {"drain", "--timeout", "5"},
                                                                                         {"status", "--output", "xml"},
                                                                                         {"config"}}) {
    const Finished run = Sluice(arguments);
    EXPECT_EQ(run.exit_code, kExitConfiguration);
    EXPECT_THAT(run.err, StartsWith("sluice: "));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_THAT(run.out, IsEmpty());
  }
}

TEST(Binary, VersionAsJson) {
  const Finished version = Sluice({"version", "--output", "json"});
  EXPECT_EQ(version.exit_code, kExitOk);
  EXPECT_TRUE(nlohmann::json::parse(version.out).contains("version"));
}

// A configuration in a folder of its own; NATS is nowhere.
class ConfiguredTest : public ::testing::Test {
 protected:
  ConfiguredTest() { Configure(""); }

  void Configure(const std::string& more) {
    WriteFile(file_,
              absl::StrCat("nats: {servers: 'nats://127.0.0.1:1'}\n", "listen: {unix: ", dir_ / "s.sock", "}\n",
                           "drain: {timeout: 500ms}\n", more, "consumers:\n  - name: orders\n    stream: ORDERS\n"));
  }
  std::string Problem(int line, int column) const { return absl::StrCat(file_, ":", line, ":", column, ": "); }

  TempDir dir_;
  const std::string file_ = dir_ / "sluice.yaml";
  const std::string address_ = "unix:" + (dir_ / "s.sock");
};

TEST_F(ConfiguredTest, CheckTellsAMisspeltKeyWithItsPlace) {
  Configure("conusmers: []\n");
  for (const char* command : {"check", "print"}) {
    const Finished run = Sluice({"config", command, "-c", file_});
    EXPECT_EQ(run.exit_code, kExitConfiguration);
    EXPECT_EQ(run.err, Problem(4, 1) + "unknown key 'conusmers', did you mean 'consumers'?\n");
    EXPECT_THAT(run.out, IsEmpty());
  }
  const Finished serve = Sluice({"serve", "-c", file_});
  EXPECT_EQ(serve.exit_code, kExitConfiguration);
  EXPECT_EQ(serve.err, Problem(4, 1) + "unknown key 'conusmers', did you mean 'consumers'?\n");

  const auto json = nlohmann::json::parse(Sluice({"config", "check", "-c", file_, "--output", "json"}).out);
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["problems"][0]["line"], 4);
  EXPECT_EQ(json["problems"][0]["column"], 1);
}

TEST_F(ConfiguredTest, CheckAndPrintAGoodOne) {
  const Finished check = Sluice({"config", "check", "-c", file_});
  EXPECT_EQ(check.exit_code, kExitOk) << check.err;
  EXPECT_EQ(check.out, file_ + " is good.\n\nCONSUMER  STREAM  DURABLE  MANAGE\norders    ORDERS  orders   ensure\n");

  const Finished print = Sluice({"config", "print", "-c", file_, "--drain-timeout", "7s"});
  EXPECT_EQ(print.exit_code, kExitOk);
  EXPECT_THAT(print.out, HasSubstr("timeout: 7s"));
  const auto json = nlohmann::json::parse(Sluice({"config", "print", "-c", file_, "--output", "json"}).out);
  EXPECT_EQ(json["consumers"][0]["pull"]["batch"], 256);
}

TEST_F(ConfiguredTest, CommandsWithoutADaemon) {
  const std::string nobody = "unix:" + (dir_ / "nobody.sock");
  for (const char* command : {"drain", "status"}) {
    const Finished run = Sluice({command, "--address", nobody});
    EXPECT_EQ(run.exit_code, kExitUnavailable);
    EXPECT_THAT(run.err, StartsWith(absl::StrCat("sluice ", command, ": no daemon at ", nobody)));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
  const Finished health = Sluice({"healthcheck", "--address", nobody, "--timeout", "5s"});
  EXPECT_EQ(health.exit_code, kExitUnhealthy);
}

// The daemon, as a process.
class ServeTest : public ConfiguredTest {
 protected:
  // Returns when it serves.
  std::unique_ptr<Process> Serve(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {SluiceBinary(), "serve", "-c", file_};
    command.insert(command.end(), more.begin(), more.end());
    auto process = std::make_unique<Process>(command, dir_ / "out", dir_ / "log");
    EXPECT_TRUE(Eventually([&] { return IsHealthy() || process->Wait(absl::ZeroDuration()).has_value(); })) << Log();
    EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt) << Log();
    return process;
  }
  bool IsHealthy() { return Sluice({"healthcheck", "--address", address_, "--timeout", "5s"}).exit_code == kExitOk; }
  std::string Log() { return ReadFile(dir_ / "log"); }
};

TEST_F(ServeTest, SigtermDrainsAndExits) {
  // Only where the file is there already, as in a pod.
  const std::string last_words = dir_ / "termination-log";
  WriteFile(last_words, "");
  setenv("SLUICE_TERMINATION_LOG", last_words.c_str(), 1);
  const auto process = Serve();
  unsetenv("SLUICE_TERMINATION_LOG");

  const Finished status = Sluice({"status", "--address", address_});
  EXPECT_EQ(status.exit_code, kExitOk);
  EXPECT_THAT(status.out, HasSubstr("NATS: not connected"));
  EXPECT_THAT(status.out, HasSubstr("orders    ORDERS  NATS_DOWN  SERVING"));

  process->Signal(SIGTERM);
  process->Signal(SIGTERM);  // changes nothing
  EXPECT_EQ(process->Wait(integration::kPatience), kExitOk) << Log();
  EXPECT_THAT(ReadFile(last_words), StartsWith("drained: awaited=0"));
  EXPECT_NE(access((dir_ / "s.sock").c_str(), F_OK), 0) << "the socket is gone";
  for (absl::string_view line : absl::StrSplit(Log(), '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(nlohmann::json::accept(std::string(line))) << line;
  }
}

TEST_F(ServeTest, ADrainEndsHealthAndLeavesTheDaemonUp) {
  const auto process = Serve();
  const Finished drain = Sluice({"drain", "--address", address_, "--wait", "--timeout", "100ms"});
  EXPECT_EQ(drain.exit_code, kExitOk) << drain.err;
  EXPECT_THAT(drain.out, HasSubstr("SETTLING"));
  EXPECT_FALSE(IsHealthy());
  EXPECT_THAT(Sluice({"drain", "--address", address_}).out, StartsWith("Draining already"));
  EXPECT_THAT(Sluice({"status", "--address", address_}).out, HasSubstr("DRAINED"));
  const auto json = nlohmann::json::parse(Sluice({"drain", "--address", address_, "--wait", "--output", "json"}).out);
  EXPECT_EQ(json["report"]["unsettled"], "0");
  EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt) << "it stays for SIGTERM";
  process->Signal(SIGTERM);
  EXPECT_EQ(process->Wait(integration::kPatience), kExitOk);
}

// A second interrupt is test/integration's: it takes an app that holds something.
TEST_F(ServeTest, AnInterruptDrains) {
  const auto process = Serve();
  process->Signal(SIGINT);
  EXPECT_EQ(process->Wait(integration::kPatience), kExitOk) << Log();
}

TEST_F(ServeTest, AnAddressThatIsTakenIsConfiguration) {
  const auto process = Serve();
  const Finished second = Sluice({"serve", "-c", file_});
  EXPECT_EQ(second.exit_code, kExitConfiguration);
  EXPECT_THAT(second.err, StartsWith(file_ + ": "));
  EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '\n'), 1) << second.err;
  EXPECT_THAT(second.err, HasSubstr("s.sock"));
  EXPECT_TRUE(IsHealthy()) << "the first one is unharmed";
}

}  // namespace
}  // namespace sluice::app
