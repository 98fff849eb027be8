#include <cstdio>
#include <memory>
#include <string>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/flags.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "Asks grpc.health.v1. The exit code is 0 if it serves, else 1: from the start of a drain it does not. NATS may be "
    "away.\n"
    "\n"
    "Examples:\n"
    "  sluice healthcheck\n"
    "  sluice healthcheck --timeout 500ms --service sluice.v1.ConsumerService\n";

struct Options {
  std::string address;
  std::string service;
  absl::Duration timeout = absl::Seconds(1);
};

int Check(const Options& options) {
  AdminClient client(options.address);
  const absl::StatusOr<bool> serving = client.IsServing(options.service, options.timeout);
  if (serving.ok() && *serving) {
    std::puts("serving");
    return kExitOk;
  }
  const std::string why = serving.ok() ? "not serving" : std::string(serving.status().message());
  std::fprintf(stderr, "sluice healthcheck: %s\n", why.c_str());
  return kExitUnhealthy;
}

}  // namespace

void AddHealthcheckCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("healthcheck", "Says whether a daemon serves, for probes");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  AddAddressFlag(command, options->address);
  command->add_option("--service", options->service, "The gRPC service to ask for [the daemon as a whole]")
      ->type_name("NAME");
  AddDurationFlag(command, "--timeout", options->timeout, absl::Milliseconds(1), absl::Minutes(1),
                  "How long to wait for the answer")
      ->default_str(absl::FormatDuration(options->timeout));
  command->callback([options, &exit_code] { exit_code = Check(*options); });
}

}  // namespace sluice::app
