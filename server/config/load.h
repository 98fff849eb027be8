#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "config/config.h"
#include "config/environment.h"
#include "config/places.h"
#include "config/problem.h"

namespace sluice::config {

// A value from outside the file, which outranks the file's: a flag or an environment variable.
struct Override {
  std::string key;     // as in "drain.timeout"
  std::string value;   // as it would stand in the file, but without `${}`
  std::string origin;  // named in problems: "--drain-timeout"
};

struct Loaded {
  Config config;                  // meaningful only without problems
  std::vector<Problem> problems;  // all of them, in the order of the file
  Places places;                  // of every key that was given
  bool ok() const { return problems.empty(); }
};

// Reads, expands and checks the configuration in `file`, including that the files it names can be read.
Loaded Load(const std::string& file, absl::Span<const Override> overrides = {},
            const Environment& environment = ProcessEnvironment());

// The same for a text; `file` is what problems call it.
Loaded Parse(absl::string_view yaml, const std::string& file, absl::Span<const Override> overrides = {},
             const Environment& environment = ProcessEnvironment());

}  // namespace sluice::config
