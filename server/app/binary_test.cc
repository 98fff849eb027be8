// `sluice` itself, as a shell sees it. What the daemon does with messages is test/integration's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "app/binary_fixture.h"
#include "app/exit_code.h"
#include "test/integration/await.h"
#include "test/integration/process.h"
#include "test/support/nats_admin.h"
#include "test/support/nats_server.h"

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

TEST(Binary, EveryCommandHasHelpWithExamples) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"serve"},
                                                                                       {"dev"},
                                                                                       {"consume"},
                                                                                       {"drain"},
                                                                                       {"status"},
                                                                                       {"redrive"},
                                                                                       {"wait"},
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

// One line, and what to do; NATS is not there.
TEST_F(ConfiguredTest, RedriveSaysWhatIsWrong) {
  const auto redrive = [this](std::vector<std::string> more) {
    more.insert(more.begin(), {"redrive", "-c", file_, "--nats", "nats://127.0.0.1:1"});
    return Sluice(more);
  };
  const auto expect = [](const Finished& run, int exit_code, const char* sentence) {
    EXPECT_EQ(run.exit_code, exit_code) << run.err;
    EXPECT_THAT(run.err, HasSubstr(sentence));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  };
  expect(redrive({"--consumer", "order"}), kExitConfiguration,
         "sluice redrive: unknown consumer 'order'; the configuration has orders\n");
  expect(redrive({"--consumer", "orders"}), kExitConfiguration,
         "sluice redrive: consumer 'orders' has no dead letters; add 'dead_letter: {subject: ...}'\n");
  Configure("", "    dead_letter: {subject: dead.orders}\n");
  expect(redrive({"--consumer", "orders", "--filter", "orders..eu"}), kExitConfiguration,
         "sluice redrive: --filter 'orders..eu' is not a subject; write one such as orders.> or orders.*\n");
  expect(redrive({"--consumer", "orders", "--timeout", "200ms"}), kExitUnavailable,
         "sluice redrive: not connected to NATS within 200ms: ");
  expect(redrive({"--consumer", "orders", "--limit", "0"}), kExitConfiguration, "sluice: --limit");
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

TEST_F(ConfiguredTest, CheckWarnsByRuleAndStrictFails) {
  Configure("", "    config:\n      max_deliver: 1\n");
  const std::string warning = Problem(8, 7) + "warning: max-deliver-one: consumers[0].config.max_deliver is 1: ";
  const Finished check = Sluice({"config", "check", "-c", file_});
  EXPECT_EQ(check.exit_code, kExitOk);
  EXPECT_THAT(check.err, StartsWith(warning));
  EXPECT_EQ(std::count(check.err.begin(), check.err.end(), '\n'), 1) << check.err;
  EXPECT_THAT(check.out, StartsWith(file_ + " is good, with 1 warning.\n\nCONSUMER"));

  const Finished strict = Sluice({"config", "check", "-c", file_, "--strict"});
  EXPECT_EQ(strict.exit_code, kExitConfiguration);
  EXPECT_EQ(strict.err, check.err);
  EXPECT_THAT(strict.out, IsEmpty());

  const Finished as_json = Sluice({"config", "check", "-c", file_, "--output", "json"});
  EXPECT_EQ(as_json.exit_code, kExitOk);
  const auto json = nlohmann::json::parse(as_json.out);
  EXPECT_EQ(json["ok"], true);
  ASSERT_EQ(json["problems"].size(), 1u);
  EXPECT_EQ(json["problems"][0]["severity"], "warning");
  EXPECT_EQ(json["problems"][0]["rule"], "max-deliver-one");
  EXPECT_EQ(json["problems"][0]["line"], 8);
}

TEST_F(ConfiguredTest, CheckKnowsTheDeploymentByFlagAndEnvironment) {
  const Finished flag = Sluice({"config", "check", "-c", file_, "--grace-period", "10s"});
  EXPECT_THAT(flag.err, StartsWith(Problem(3, 9) + "warning: drain-timeout-above-grace: drain.timeout is 500ms, "));
  setenv("SLUICE_GRACE_PERIOD", "11s", 1);
  const Finished variable = Sluice({"config", "check", "-c", file_});
  unsetenv("SLUICE_GRACE_PERIOD");
  EXPECT_THAT(variable.err, IsEmpty());
}

TEST_F(ConfiguredTest, CheckOnlineWithoutAServerFailsInTime) {
  const Finished check = Sluice({"config", "check", "-c", file_, "--online", "--timeout", "200ms"});
  EXPECT_EQ(check.exit_code, kExitConfiguration);
  EXPECT_THAT(check.err, StartsWith(Problem(1, 8) + "error: server-unreachable: nats.servers leads nowhere (not "
                                                    "connected within 200ms"));
  EXPECT_EQ(std::count(check.err.begin(), check.err.end(), '\n'), 1) << check.err;
  EXPECT_EQ(Sluice({"config", "check", "-c", file_, "--timeout", "1s"}).exit_code, kExitConfiguration)
      << "only with --online";
}

// Against a real server of each version.
class CheckOnlineTest : public ConfiguredTest, public ::testing::WithParamInterface<std::string> {
 protected:
  bool StartServer() {
    auto server = test::NatsServer::Start({.binary = GetParam()});
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return false;
    server_ = *std::move(server);
    auto admin = test::JetStreamAdmin::Connect(server_->url());
    EXPECT_TRUE(admin.ok()) << admin.status();
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
    return true;
  }
  // The severities and rules that are told.
  std::string Findings(int exit_code, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"config", "check", "-c", file_, "--online", "--nats", server_->url(), "--output", "json"});
    const Finished check = Sluice(more);
    EXPECT_EQ(check.exit_code, exit_code) << check.out << check.err;
    EXPECT_THAT(check.err, IsEmpty());
    const auto json = nlohmann::json::parse(check.out, nullptr, false);
    if (json.is_discarded()) return check.out;
    EXPECT_EQ(json["server"]["version"], test::NatsServerVersion(GetParam()));
    std::string found;
    for (const auto& problem : json["problems"]) {
      const std::string rule = problem["rule"];
      // They are about the parameter, not the test.
      if (absl::StartsWith(rule, "server-before-")) continue;
      absl::StrAppend(&found, problem["severity"].get<std::string>(), " ", rule, "\n");
    }
    return found;
  }

  std::unique_ptr<test::NatsServer> server_;
  std::unique_ptr<test::JetStreamAdmin> admin_;
};

TEST_P(CheckOnlineTest, ComparesWithTheServerAndChangesNothing) {
  ASSERT_TRUE(StartServer());
  EXPECT_EQ(Findings(kExitConfiguration), "error stream-missing\n");
  ASSERT_TRUE(admin_->CreateStream("ORDERS", {"orders.>"}).ok());
  EXPECT_EQ(Findings(kExitOk), "") << "it will be made";
  EXPECT_FALSE(admin_->ConsumerInfo("ORDERS", "orders").ok()) << "but not by the check";

  ASSERT_TRUE(admin_->CreateConsumer("ORDERS", "orders", {{"max_deliver", 1}}).ok());
  EXPECT_EQ(Findings(kExitOk), "warning max-deliver-one\n");
  EXPECT_EQ(Findings(kExitConfiguration, {"--strict"}), "warning max-deliver-one\n");
  Configure("", "    config: {max_deliver: 7}\n");
  EXPECT_EQ(Findings(kExitOk), "warning consumer-will-change\n");
  Configure("", "    manage: verify\n    config: {max_deliver: 7, deliver_policy: new}\n");
  EXPECT_EQ(Findings(kExitConfiguration), "error consumer-differs\nerror consumer-differs\n");
  EXPECT_EQ((*admin_->ConsumerInfo("ORDERS", "orders"))["config"]["max_deliver"], 1);
}

TEST_P(CheckOnlineTest, NamesTheServerAndWhatItsVersionMeans) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(admin_->CreateStream("ORDERS", {"orders.>"}).ok());
  const Finished check = Sluice({"config", "check", "-c", file_, "--online", "--nats", server_->url()});
  EXPECT_EQ(check.exit_code, kExitOk) << check.err;
  const std::string version = test::NatsServerVersion(GetParam());
  EXPECT_THAT(check.out, StartsWith(absl::StrCat(file_, " is good for nats-server ", version, " at ", server_->url())));
  const bool is_old = absl::StartsWith(version, "2.9.");
  EXPECT_EQ(absl::StrContains(check.err, "--nats: warning: server-before-2.10.16: nats.servers leads to "), is_old);
  EXPECT_EQ(absl::StrContains(check.err, "server-before-2.10.4: "), is_old);
}

std::string VersionName(const ::testing::TestParamInfo<std::string>& info) {
  return absl::StrCat("v", absl::StrReplaceAll(test::NatsServerVersion(info.param), {{".", "_"}, {"-", "_"}}));
}
INSTANTIATE_TEST_SUITE_P(All, CheckOnlineTest, ::testing::ValuesIn(test::NatsServerBinaries()), VersionName);

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

TEST_F(ServeTest, WarnsOfItsConfiguration) {
  Configure("", "    config: {max_deliver: 1}\n");
  const auto process = Serve();
  const std::vector<std::string> lines = absl::StrSplit(Log(), '\n', absl::SkipEmpty());
  const auto warning = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(warning["level"], "warning");
  EXPECT_EQ(warning["rule"], "max-deliver-one");
  EXPECT_EQ(warning["at"], file_ + ":7:14");
  EXPECT_THAT(warning["why"].get<std::string>(), HasSubstr("set 5 or more"));
  process->Signal(SIGTERM);
  EXPECT_EQ(process->Wait(integration::kPatience), kExitOk) << Log();
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
