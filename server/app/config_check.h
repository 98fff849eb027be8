#pragma once

#include "absl/time/time.h"
#include "app/config_source.h"

namespace sluice::app {

struct CheckOptions {
  bool online = false;                        // look at the server too
  absl::Duration timeout = absl::Seconds(5);  // for that
  bool strict = false;                        // a warning fails
  bool json = false;
};

// Judges the configuration, and tells: what is wrong, one line each, on standard error; a summary of a good one, or the
// JSON, on standard output. The exit code.
int CheckConfig(const ConfigSource& source, const CheckOptions& options);

// The warnings of the rules that need no server, into the log.
void LogLint(const config::Loaded& loaded);

}  // namespace sluice::app
