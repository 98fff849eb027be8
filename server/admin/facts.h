#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sluice::admin {

// The connection to NATS, as of now.
struct NatsFacts {
  bool connected = false;
  std::string url;  // without credentials
  uint64_t reconnects = 0;
  std::string last_error;  // why it is not connected
};

// What became of the configuration since the start, which itself needs a good one.
struct ReloadFacts {
  bool successful = true;   // the last reload, or there was none
  std::string problem;      // of the last reload; empty: none
  absl::Time last_success;  // the start, or the last reload that was good
  uint64_t reloads = 0;     // good ones
};

// What this room asks of the rest of the process, and cannot see itself; wired by app. Everything outlives the server.
struct Facts {
  std::string version;
  std::function<NatsFacts()> nats;      // called on the loop
  std::function<ReloadFacts()> reload;  // any thread
  // Calls the daemon's own gRPC addresses over new connections, and waits for the answers, for as long as `patience`
  // at most. Called on the watchdog's thread; cancel_dial, on another one, makes it return soon, and for good.
  std::function<absl::Status(absl::Duration patience)> dial;
  std::function<void()> cancel_dial;
  std::function<void()> quit;  // as SIGTERM does; any thread, any number of times
};

}  // namespace sluice::admin
