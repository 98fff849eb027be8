#include "app/config_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"

namespace sluice::app {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class ConfigSourceTest : public ::testing::Test {
 protected:
  ConfigSourceTest() {
    file_ = std::filesystem::path(::testing::TempDir()) / absl::StrCat("config-source-test-", getpid(), ".yaml");
    std::ofstream(file_) << "nats: {servers: nats://file}\ndrain: {timeout: 1s}\nconsumers: [{name: o, stream: S}]\n";
    variables_["SLUICE_CONFIG"] = file_;
  }
  ~ConfigSourceTest() override { std::filesystem::remove(file_); }

  config::Loaded Load(const std::vector<std::string>& arguments) {
    CLI::App command;
    ConfigSource source;
    source.AddFlags(&command);
    command.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return source.Load([this](const std::string& name) -> std::optional<std::string> {
      const auto variable = variables_.find(name);
      return variable == variables_.end() ? std::nullopt : std::make_optional(variable->second);
    });
  }

  std::string file_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ConfigSourceTest, FlagOutranksEnvironmentOutranksFileOutranksDefault) {
  EXPECT_THAT(Load({}).config.nats.servers, ElementsAre("nats://file"));
  EXPECT_EQ(Load({}).config.nats.name, "sluice");
  variables_["SLUICE_NATS_URL"] = "nats://env";
  EXPECT_THAT(Load({}).config.nats.servers, ElementsAre("nats://env"));
  EXPECT_THAT(Load({"--nats", "nats://flag,nats://other"}).config.nats.servers,
              ElementsAre("nats://flag", "nats://other"));
}

TEST_F(ConfigSourceTest, EveryFlagReachesItsKey) {
  const config::Loaded loaded =
      Load({"--config", file_, "--listen-unix", "", "--listen-tcp", "127.0.0.1:0", "--log-level", "error",
            "--log-format=text", "--drain-timeout", "9s", "--grace-period", "19s", "--pods", "3"});
  ASSERT_TRUE(loaded.ok()) << loaded.problems[0].ToString();
  EXPECT_EQ(loaded.config.listen.unix_socket, "");
  EXPECT_EQ(loaded.config.listen.tcp, "127.0.0.1:0");
  EXPECT_EQ(loaded.config.log.level, base::Severity::kError);
  EXPECT_EQ(loaded.config.log.format, config::LogFormat::kText);
  EXPECT_EQ(loaded.config.drain.timeout, absl::Seconds(9));
  EXPECT_EQ(loaded.config.deployment.grace_period, absl::Seconds(19));
  EXPECT_EQ(loaded.config.deployment.pods, 3);
}

TEST_F(ConfigSourceTest, AnEmptyVariableIsAsNone) {
  variables_["SLUICE_NATS_URL"] = "";
  EXPECT_THAT(Load({}).config.nats.servers, ElementsAre("nats://file"));
  variables_["SLUICE_CONFIG"] = "";
  EXPECT_THAT(Load({}).problems[0].ToString(), StartsWith("/etc/sluice/sluice.yaml: cannot be read"));
}

TEST_F(ConfigSourceTest, ProblemsNameTheFlagOrVariable) {
  variables_["SLUICE_LOG_LEVEL"] = "loud";
  const config::Loaded loaded = Load({"--drain-timeout", "5"});
  std::vector<std::string> problems;
  for (const config::Problem& problem : loaded.problems) problems.push_back(problem.ToString());
  EXPECT_THAT(problems, UnorderedElementsAre(StartsWith("SLUICE_LOG_LEVEL: log.level: 'loud' is not one of"),
                                             StartsWith("--drain-timeout: drain.timeout: '5' is not a duration")));
}

TEST_F(ConfigSourceTest, TheFlagNamesTheFile) {
  EXPECT_THAT(Load({"-c", "/no/such/file"}).problems[0].ToString(), StartsWith("/no/such/file: cannot be read"));
}

}  // namespace
}  // namespace sluice::app
