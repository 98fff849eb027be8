#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"

namespace sluice::app {

// Declares a flag that takes a duration within bounds, written as in the configuration file: 500ms, 30s, 1m30s.
CLI::Option* AddDurationFlag(CLI::App* command, const std::string& name, absl::Duration& value, absl::Duration least,
                             absl::Duration most, const std::string& description);

// Declares `--output table|json`.
void AddOutputFlag(CLI::App* command, bool& json);

}  // namespace sluice::app
