#pragma once

#include <string>

#include "absl/time/time.h"

namespace sluice::dev {

// The app of the demo, in a process of its own: `sluice dev-app`. It handles each message by taking `work` time, counts
// what it handles by the publisher's numbers, and tells of it on standard output (app_news.h).
struct AppOptions {
  std::string address;   // of the daemon
  std::string consumer;  // in the daemon's configuration
  absl::Duration work;
  int concurrency = 1;
};

// Runs until SIGTERM, or until the daemon refuses it. The process's exit code.
int RunApp(const AppOptions& options);

}  // namespace sluice::dev
