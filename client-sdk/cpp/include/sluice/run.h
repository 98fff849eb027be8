/// @file
/// The end of a program.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "sluice/consumption.h"

namespace sluice {

/// For main(): waits for SIGTERM or SIGINT, drains, returns the report; or returns when the consumption ends by itself.
/// A second SIGINT kills the process. Not from several threads at once.
/// @param drain_timeout  as for Consumption::Drain()
DrainReport RunUntilSignal(Consumption& consumption,
                           std::optional<std::chrono::milliseconds> drain_timeout = std::nullopt);

/// The same for several, which are drained together: `RunUntilSignal({orders, invoices})`. Returns also when the daemon
/// has refused one of them, after draining the others, or when all have ended.
/// @return their reports, in the same order
std::vector<DrainReport> RunUntilSignal(const std::vector<std::reference_wrapper<Consumption>>& consumptions,
                                        std::optional<std::chrono::milliseconds> drain_timeout = std::nullopt);

}  // namespace sluice
