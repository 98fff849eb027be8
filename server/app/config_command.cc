#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/config_check.h"
#include "app/config_source.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "config/print.h"

namespace sluice::app {
namespace {

constexpr char kCheckFooter[] =
    "Every problem is one line, file:line:column and what to do; then the exit code is 78. A setting that works and\n"
    "yet may lose, stall or repeat messages is a warning, by the name of its rule: see docs/configuration.md.\n"
    "\n"
    "Examples:\n"
    "  sluice config check -c orders.yaml\n"
    "  sluice config check -c orders.yaml --strict --grace-period 60s --pods 20\n"
    "  sluice config check -c orders.yaml --online --nats nats://nats.prod:4222\n"
    "  sluice config check -c orders.yaml --output json\n";
constexpr char kPrintFooter[] =
    "Secrets are hidden.\n"
    "\n"
    "Examples:\n"
    "  sluice config print -c orders.yaml\n"
    "  sluice config print -c orders.yaml --output json | jq .consumers\n";

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

void AddCheck(CLI::App* config, int& exit_code) {
  CLI::App* const check = config->add_subcommand("check", "Says whether it is good, or what is not");
  check->footer(kCheckFooter);
  const auto source = std::make_shared<ConfigSource>();
  const auto options = std::make_shared<CheckOptions>();
  source->AddFlags(check);
  CLI::Option* const online =
      check->add_flag("--online", options->online,
                      "Look also at the server: its version, streams and consumers. Changes nothing there");
  AddDurationFlag(check, "--timeout", options->timeout, absl::Milliseconds(100), absl::Minutes(1),
                  "How long to wait for the server")
      ->default_str(absl::FormatDuration(options->timeout))
      ->needs(online);
  check->add_flag("--strict", options->strict, "A warning is as bad as an error");
  AddOutputFlag(check, options->json);
  check->callback([source, options, &exit_code] { exit_code = CheckConfig(*source, *options); });
}

void AddPrint(CLI::App* config, int& exit_code) {
  CLI::App* const print = config->add_subcommand("print", "Shows every value in force");
  print->footer(kPrintFooter);
  const auto source = std::make_shared<ConfigSource>();
  const auto json = std::make_shared<bool>(false);
  source->AddFlags(print);
  AddOutputFlag(print, *json);
  print->callback([source, json, &exit_code] { exit_code = PrintConfig(*source, *json); });
}

}  // namespace

void AddConfigCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const config =
      sluice.add_subcommand("config", "Checks or shows a configuration, without starting anything");
  config->require_subcommand(1);
  AddCheck(config, exit_code);
  AddPrint(config, exit_code);
}

}  // namespace sluice::app
