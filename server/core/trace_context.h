#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "base/log.h"
#include "core/message.h"

namespace sluice::core {

// The trace id in the W3C `traceparent` header of a message: 32 lower-case hexadecimal digits, a view of the message.
// Empty: it has none, or none that is valid.
absl::string_view TraceId(const Message& message);

// `fields`, and `trace_id` if the message has one: for a log line about this message.
std::vector<base::LogField> WithTrace(std::vector<base::LogField> fields, const Message& message);

}  // namespace sluice::core
