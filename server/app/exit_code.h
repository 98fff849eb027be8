#pragma once

namespace sluice::app {

// What the process tells whoever started it; the numbers of sysexits.h.
enum ExitCode {
  kExitOk = 0,
  kExitUnhealthy = 1,       // `healthcheck`: the daemon does not serve, or is not there
  kExitUnavailable = 69,    // a command found no daemon to talk to
  kExitInternal = 70,       // a bug
  kExitUnsettled = 75,      // something could not be settled or flushed; the log says what
  kExitConfiguration = 78,  // file, flags, or an address that is taken
};

}  // namespace sluice::app
