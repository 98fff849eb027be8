#include "app/config_source.h"

#include <cstdio>

namespace sluice::app {
namespace {

constexpr char kDefaultFile[] = "/etc/sluice/sluice.yaml";

// The settings that one changes from one start to the next. All others are in the file alone.
struct Setting {
  const char* key;
  const char* flag;
  const char* variable;
  const char* type;
  const char* description;
};
constexpr Setting kSettings[] = {
    {"nats.servers", "--nats", "SLUICE_NATS_URL", "URL", "Where NATS is; several with commas"},
    {"listen.unix", "--listen-unix", "SLUICE_LISTEN_UNIX", "PATH", "Unix socket for the apps; '' for none"},
    {"listen.tcp", "--listen-tcp", "SLUICE_LISTEN_TCP", "HOST:PORT", "TCP address for the apps; '' for none"},
    {"admin.listen", "--admin-listen", "SLUICE_ADMIN_LISTEN", "HOST:PORT", "HTTP address of probes and metrics"},
    {"log.level", "--log-level", "SLUICE_LOG_LEVEL", "LEVEL", "debug, info, warning or error"},
    {"log.format", "--log-format", "SLUICE_LOG_FORMAT", "FORMAT", "json or text"},
    {"drain.timeout", "--drain-timeout", "SLUICE_DRAIN_TIMEOUT", "DURATION", "How long a drain waits for the apps"},
    {"deployment.grace_period", "--grace-period", "SLUICE_GRACE_PERIOD", "DURATION",
     "The pod's terminationGracePeriodSeconds, for the lint"},
    {"deployment.pods", "--pods", "SLUICE_PODS", "N", "How many pods share the consumers, for the lint"},
};

// An empty variable is as good as none: that is how deployments leave one out.
std::optional<std::string> NonEmpty(std::optional<std::string> value) {
  return value.has_value() && value->empty() ? std::nullopt : value;
}

}  // namespace

void ConfigSource::AddFlags(CLI::App* command) {
  command
      ->add_option("-c,--config", file_,
                   "The configuration file [$SLUICE_CONFIG, or " + std::string(kDefaultFile) + "]")
      ->type_name("FILE");
  for (const Setting& setting : kSettings) {
    const auto note = [this, flag = setting.flag](const std::string& value) { flags_[flag] = value; };
    command
        ->add_option_function<std::string>(setting.flag, note,
                                           std::string(setting.description) + " [$" + setting.variable + "]")
        ->type_name(setting.type);
  }
}

std::string ConfigSource::File(const config::Environment& environment) const {
  if (!file_.empty()) return file_;
  return NonEmpty(environment("SLUICE_CONFIG")).value_or(kDefaultFile);
}

config::Loaded ConfigSource::Load(const config::Environment& environment) const {
  std::vector<config::Override> overrides;
  for (const Setting& setting : kSettings) {
    if (const auto flag = flags_.find(setting.flag); flag != flags_.end()) {
      overrides.push_back({setting.key, flag->second, setting.flag});
    } else if (const auto variable = NonEmpty(environment(setting.variable))) {
      overrides.push_back({setting.key, *variable, setting.variable});
    }
  }
  return config::Load(File(environment), overrides, environment);
}

void PrintProblems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::fprintf(stderr, "%s\n", problem.ToString().c_str());
}

}  // namespace sluice::app
