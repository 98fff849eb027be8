// sluice: one binary. `sluice serve` is the daemon; the other commands talk to one, or stand beside it.

#include <cstdio>
#include <exception>

#include "CLI/CLI.hpp"
#include "absl/synchronization/mutex.h"
#include "app/commands.h"
#include "app/dev/command.h"
#include "app/exit_code.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 done; 1 not healthy; 69 no daemon there; 70 internal error; 75 something could not be settled;\n"
    "78 configuration.\n"
    "\n"
    "To see it work: sluice dev. To start: docs/configuration.md.\n";

int Main(int argc, char** argv) {
  CLI::App sluice("Streams JetStream messages to the apps beside it, and drains without losing or repeating any.");
  sluice.require_subcommand(1);
  sluice.footer(kFooter);

  int exit_code = kExitOk;
  AddServeCommand(sluice, exit_code);
  dev::AddDevCommands(sluice, exit_code);
  AddConsumeCommand(sluice, exit_code);
  AddDrainCommand(sluice, exit_code);
  AddStatusCommand(sluice, exit_code);
  AddRedriveCommand(sluice, exit_code);
  AddWaitCommand(sluice, exit_code);
  AddHealthcheckCommand(sluice, exit_code);
  AddConfigCommand(sluice, exit_code);
  AddVersionCommand(sluice, exit_code);
  AddMetricsDocCommand(sluice, exit_code);

  try {
    sluice.parse(argc, argv);  // and runs what was chosen
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return sluice.exit(error);  // --help
    std::fprintf(stderr, "sluice: %s; see sluice --help\n", error.what());
    return kExitConfiguration;
  }
  return exit_code;
}

}  // namespace
}  // namespace sluice::app

int main(int argc, char** argv) {
  // Debian builds Abseil with its search for deadlocks switched on: a walk through a graph at every lock, gRPC's
  // included.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return sluice::app::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice: internal error: %s\n", error.what());
    return sluice::app::kExitInternal;
  }
}
