#include "app/log_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice::app {
namespace {

std::string Escaped(absl::string_view text) {
  const bool is_clean = std::none_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
  return is_clean ? std::string(text) : absl::Utf8SafeCEscape(text);
}

// A value in quotes if it would not be seen where it ends.
std::string TextValue(absl::string_view value) {
  const bool is_plain = !value.empty() && value.find_first_of(" \"=") == absl::string_view::npos;
  return is_plain ? Escaped(value) : absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

}  // namespace

absl::string_view SeverityName(base::Severity severity) {
  switch (severity) {
    case base::Severity::kDebug:
      return "debug";
    case base::Severity::kInfo:
      return "info";
    case base::Severity::kWarning:
      return "warning";
    case base::Severity::kError:
      return "error";
  }
  return "";
}

std::string FormatJson(absl::Time time, base::Severity severity, absl::string_view message,
                       const std::vector<base::LogField>& fields) {
  nlohmann::ordered_json line;
  line["ts"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  line["level"] = std::string(SeverityName(severity));
  line["msg"] = std::string(message);
  for (const base::LogField& field : fields) line[field.name] = field.value;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string FormatText(absl::Time time, base::Severity severity, absl::string_view message,
                       const std::vector<base::LogField>& fields) {
  std::string line = absl::StrFormat("%s %-7s %s", absl::FormatTime("%H:%M:%E3S", time, absl::LocalTimeZone()),
                                     SeverityName(severity), Escaped(message));
  for (const base::LogField& field : fields) absl::StrAppend(&line, "  ", field.name, "=", TextValue(field.value));
  return line;
}

}  // namespace sluice::app
