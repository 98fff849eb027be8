/// @file
/// What the client has to say to people.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace sluice {

enum class LogLevel : uint8_t {
  kInfo,     ///< a stream was opened, a drain has begun or is over
  kWarning,  ///< the daemon or NATS is away; verdicts came too late
  kError,    ///< a handler or hook threw; the consumption has ended for good
};

/// Takes one line, without a line break. Called by any thread of the client's, one at a time for each consumption.
using Log = std::function<void(LogLevel level, std::string_view line)>;

/// Writes warnings and errors to standard error: "sluice: orders: connecting: ...".
void LogToStderr(LogLevel level, std::string_view line);

}  // namespace sluice
