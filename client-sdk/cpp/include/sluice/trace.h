/// @file
/// Traces over messages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "sluice/message.h"

namespace sluice {

/// The trace context that a message carries in its headers (W3C: `traceparent`, `tracestate`, `baggage`): what a
/// propagator reads from. Header names are compared without case, as publishers spell them in their own ways. Lives as
/// long as its message.
///
/// With OpenTelemetry C++ it stands behind a TextMapCarrier, see client-sdk/cpp/README.md.
class TraceCarrier {
 public:
  explicit TraceCarrier(const Message& message) : message_(message) {}

  std::optional<std::string_view> Get(std::string_view name) const;  ///< the first value
  std::optional<std::string_view> traceparent() const { return Get("traceparent"); }
  std::optional<std::string_view> tracestate() const { return Get("tracestate"); }

 private:
  const Message& message_;
};

/// Makes the carried context the current one of the calling thread; what it returns is destroyed when the handler has
/// ended, and should bring back the context from before.
using TraceScope = std::function<std::shared_ptr<void>(const TraceCarrier&)>;

}  // namespace sluice
