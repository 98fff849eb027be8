#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "absl/time/time.h"

namespace sluice::app {

// What `sluice consume` is to do.
struct ConsumePlan {
  enum class Print { kText, kSubject, kJson, kNone };

  std::string address;   // of the daemon
  std::string consumer;  // in its configuration
  int concurrency = 1;
  uint64_t nak_every = 0;                             // nak every so manieth message; 0: none
  uint64_t term_every = 0;                            // the same for term, which goes first
  absl::Duration work = absl::ZeroDuration();         // on each message
  uint64_t count = 0;                                 // stop after so many; 0: no limit
  absl::Duration run_for = absl::InfiniteDuration();  // stop after so long
  Print print = Print::kText;
  bool json_summary = false;
};

// Prints the messages of a consumer to `out` and settles them by the plan's rule, until SIGINT, SIGTERM or the plan's
// end; then drains. A second SIGINT stops at once. What else there is to tell goes to `notices`. Returns the exit code.
// To be called before there are other threads, as they must have the signals blocked.
int Consume(const ConsumePlan& plan, std::ostream& out, std::ostream& notices);

}  // namespace sluice::app
