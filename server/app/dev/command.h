#pragma once

#include "CLI/CLI.hpp"

namespace sluice::dev {

// Adds `sluice dev`, and `dev-app`, its app, which is not shown to people. What was chosen sets `exit_code`.
void AddDevCommands(CLI::App& sluice, int& exit_code);

}  // namespace sluice::dev
