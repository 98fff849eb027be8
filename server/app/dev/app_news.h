#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sluice/options.h"

namespace sluice::dev {

// What the demo app tells the terminal over its standard output: one JSON object a line.

// Since its start.
struct AppCounts {
  uint64_t delivered = 0;    // messages received
  uint64_t redelivered = 0;  // of those: not their first attempt
  uint64_t handled = 0;      // different numbers that the handler was run for
  uint64_t acked = 0;        // verdicts given
  uint64_t duplicates = 0;   // handler runs for a number that it had been run for before
  uint64_t foreign = 0;      // messages that are not the publisher's
  uint64_t in_flight = 0;    // now: received and without a verdict

  bool operator==(const AppCounts&) const = default;
};

struct AppState {
  std::string state;   // of the client: "serving", ...; "draining"
  std::string detail;  // why, if it is not well

  bool operator==(const AppState&) const = default;
};

struct AppError {
  std::string what;

  bool operator==(const AppError&) const = default;
};

// DrainReport: a drain of the daemon is over, and this is what it told the app.
using AppNews = std::variant<AppCounts, AppState, AppError, DrainReport>;

std::string ToLine(const AppNews& news);  // without the line break
absl::StatusOr<AppNews> ParseLine(absl::string_view line);

}  // namespace sluice::dev
