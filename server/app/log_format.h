#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/log.h"

namespace sluice::app {

absl::string_view SeverityName(base::Severity severity);  // "info"

// {"ts":"2026-01-31T08:00:00.123Z","level":"info","msg":"...","stream":"ORDERS"}: one JSON object, one line. Bytes that
// are not UTF-8 are replaced, as JSON cannot hold them.
std::string FormatJson(absl::Time time, base::Severity severity, absl::string_view message,
                       const std::vector<base::LogField>& fields);

// "08:00:00.123 info    ...  stream=ORDERS": for a terminal, in local time. Control characters are escaped.
std::string FormatText(absl::Time time, base::Severity severity, absl::string_view message,
                       const std::vector<base::LogField>& fields);

}  // namespace sluice::app
