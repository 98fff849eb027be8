#include "base/log.h"

namespace sluice::base {
namespace {

LogSink* g_sink = nullptr;

}  // namespace

void SetLogSink(LogSink* sink) { g_sink = sink; }

void Log(Severity severity, absl::string_view message, const std::vector<LogField>& fields) {
  if (g_sink != nullptr && g_sink->Enabled(severity)) g_sink->Write(severity, message, fields);
}

}  // namespace sluice::base
