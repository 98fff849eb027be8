#pragma once

#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "config/load.h"

namespace sluice::app {

// Where a command gets its configuration: the file, and the flags and environment variables that outrank it.
class ConfigSource {
 public:
  // Declares the flags. Lives until the command has run.
  void AddFlags(CLI::App* command);

  // Flag > environment > file > default.
  config::Loaded Load(const config::Environment& environment = config::ProcessEnvironment()) const;
  std::string File(const config::Environment& environment = config::ProcessEnvironment()) const;

 private:
  std::string file_;                          // --config; empty: not given
  std::map<std::string, std::string> flags_;  // given ones, by name
};

// One line each, on standard error.
void PrintProblems(const std::vector<config::Problem>& problems);

}  // namespace sluice::app
