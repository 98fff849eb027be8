#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sluice::base {

enum class Severity { kDebug, kInfo, kWarning, kError };

// One named value of a log line. Names are snake_case and the same everywhere: stream, consumer, stream_seq, client_id,
// err.
struct LogField {
  LogField(absl::string_view name, absl::string_view value) : name(name), value(value) {}
  LogField(absl::string_view name, const char* value) : name(name), value(value) {}
  LogField(absl::string_view name, const std::string& value) : name(name), value(value) {}
  template <typename T>
  LogField(absl::string_view name, const T& value) : name(name), value(absl::StrCat(value)) {}

  std::string name;
  std::string value;
};

// Where log lines go. The process installs one sink at its start; without it, and in the simulation, lines vanish.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool Enabled(Severity severity) const = 0;
  // Any thread.
  virtual void Write(Severity severity, absl::string_view message, const std::vector<LogField>& fields) = 0;
};

// Not thread-safe: before other threads start, or after they ended. nullptr: none.
void SetLogSink(LogSink* sink);

// `message` is a constant sentence; what varies goes into the fields. Never once per message of a stream.
void Log(Severity severity, absl::string_view message, const std::vector<LogField>& fields = {});

inline void LogInfo(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(Severity::kInfo, message, fields);
}
inline void LogWarning(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(Severity::kWarning, message, fields);
}
inline void LogError(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(Severity::kError, message, fields);
}

}  // namespace sluice::base
