#include "app/stderr_log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "app/log_format.h"

namespace sluice::app {

StderrLog::StderrLog(const config::Log& options)
    : level_(options.level),
      format_(options.format),
      thread_(std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1)) {
  logger_ = std::make_shared<spdlog::async_logger>("sluice", std::make_shared<spdlog::sinks::stderr_sink_st>(), thread_,
                                                   spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_pattern("%v");  // lines come formatted
  base::SetLogSink(this);
}

StderrLog::~StderrLog() {
  base::SetLogSink(nullptr);
  const size_t lost = thread_->overrun_counter();
  logger_ = nullptr;
  thread_ = nullptr;  // joins, with the queue empty
  if (lost > 0) std::fprintf(stderr, "sluice: %zu log lines were lost, as standard error was not read\n", lost);
}

void StderrLog::Set(const config::Log& options) {
  level_ = options.level;
  format_ = options.format;
}

void StderrLog::Write(base::Severity severity, absl::string_view message, const std::vector<base::LogField>& fields) {
  const auto format = format_.load(std::memory_order_relaxed) == config::LogFormat::kJson ? FormatJson : FormatText;
  const std::string line = format(absl::Now(), severity, message, fields);
  logger_->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace sluice::app
