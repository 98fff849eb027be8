#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "app/dev/outcome.h"
#include "sluice/options.h"

namespace sluice::dev {

// How the last drain went, as a timeline for people: a bar for each phase, and `total` from SIGTERM to exit.
std::string DrainText(const DrainReport& drain, absl::Duration total);

// The account of the run, for people.
std::string OutcomeText(const Outcome& outcome, const std::vector<absl::Duration>& restarts);

// All of it as one line of JSON.
std::string ReportJson(const Outcome& outcome, const DrainReport& drain, const std::vector<absl::Duration>& restarts);

}  // namespace sluice::dev
