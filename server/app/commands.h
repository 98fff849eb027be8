#pragma once

#include "CLI/CLI.hpp"

namespace sluice::app {

// The subcommands. Each function declares one on `sluice`, with its flags, help and examples; when it is chosen, it
// runs and sets `exit_code`.
void AddServeCommand(CLI::App& sluice, int& exit_code);
void AddConfigCommand(CLI::App& sluice, int& exit_code);
void AddConsumeCommand(CLI::App& sluice, int& exit_code);
void AddDrainCommand(CLI::App& sluice, int& exit_code);
void AddStatusCommand(CLI::App& sluice, int& exit_code);
void AddRedriveCommand(CLI::App& sluice, int& exit_code);
void AddWaitCommand(CLI::App& sluice, int& exit_code);
void AddHealthcheckCommand(CLI::App& sluice, int& exit_code);
void AddVersionCommand(CLI::App& sluice, int& exit_code);
// For whoever changes a metric; not in the help.
void AddMetricsDocCommand(CLI::App& sluice, int& exit_code);

}  // namespace sluice::app
