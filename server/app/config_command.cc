#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/config_source.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "app/table.h"
#include "config/print.h"

namespace sluice::app {
namespace {

constexpr char kCheckFooter[] =
    "Every problem is one line, file:line:column and what to do; then the exit code is 78.\n"
    "\n"
    "Examples:\n"
    "  sluice config check -c orders.yaml\n"
    "  sluice config check -c orders.yaml --output json\n";
constexpr char kPrintFooter[] =
    "Secrets are hidden.\n"
    "\n"
    "Examples:\n"
    "  sluice config print -c orders.yaml\n"
    "  sluice config print -c orders.yaml --output json | jq .consumers\n";

// Of a configuration that is good; one with problems is for PrintProblems().
std::string Summary(const config::Config& config) {
  Table table({"CONSUMER", "STREAM", "DURABLE", "MANAGE"});
  const char* const manage[] = {"ensure", "verify", "off"};
  for (const config::Consumer& consumer : config.consumers) {
    const core::ConsumerOptions& options = consumer.options;
    table.AddRow({options.name, options.stream, options.durable, manage[static_cast<int>(consumer.manage)]});
  }
  return table.ToString();
}

int CheckConfig(const ConfigSource& source, bool json) {
  const config::Loaded loaded = source.Load();
  if (json) {
    config::Json result = {{"file", source.File()}, {"ok", loaded.ok()}, {"problems", config::Json::array()}};
    for (const config::Problem& problem : loaded.problems) {
      result["problems"].push_back(
          {{"where", problem.where}, {"line", problem.line}, {"column", problem.column}, {"text", problem.text}});
    }
    std::puts(result.dump(2, ' ', false, config::Json::error_handler_t::replace).c_str());
  } else if (loaded.ok()) {
    std::printf("%s is good.\n\n%s", source.File().c_str(), Summary(loaded.config).c_str());
  } else {
    PrintProblems(loaded.problems);
  }
  return loaded.ok() ? kExitOk : kExitConfiguration;
}

int PrintConfig(const ConfigSource& source, bool json) {
  const config::Loaded loaded = source.Load();
  if (!loaded.ok()) {
    PrintProblems(loaded.problems);
    return kExitConfiguration;
  }
  const std::string text =
      json ? config::ToJson(loaded.config).dump(2, ' ', false, config::Json::error_handler_t::replace) + "\n"
           : config::ToYaml(loaded.config);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

void Add(CLI::App* config, const char* name, const char* description, const char* footer, int& exit_code,
         int (*run)(const ConfigSource&, bool json)) {
  CLI::App* const command = config->add_subcommand(name, description);
  command->footer(footer);
  const auto source = std::make_shared<ConfigSource>();
  const auto json = std::make_shared<bool>(false);
  source->AddFlags(command);
  AddOutputFlag(command, *json);
  command->callback([source, json, run, &exit_code] { exit_code = run(*source, *json); });
}

}  // namespace

void AddConfigCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const config =
      sluice.add_subcommand("config", "Checks or shows a configuration, without starting anything");
  config->require_subcommand(1);
  Add(config, "check", "Says whether it is good, or what is not", kCheckFooter, exit_code, CheckConfig);
  Add(config, "print", "Shows every value in force", kPrintFooter, exit_code, PrintConfig);
}

}  // namespace sluice::app
