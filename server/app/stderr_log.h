#pragma once

#include <atomic>
#include <memory>

#include "base/log.h"
#include "config/config.h"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace sluice::app {

// The process's log: lines on standard error, as configured. A thread of its own writes, so that a reader that is slow
// holds nobody up; when it falls behind by kQueuedLines, the oldest are lost, and their number is told at the end. Is
// base's sink for its lifetime; made before other threads log, and destroyed after.
class StderrLog final : public base::LogSink {
 public:
  static constexpr size_t kQueuedLines = 512;  // spdlog takes 0.4 KiB for each at once

  explicit StderrLog(const config::Log& options);
  ~StderrLog() override;  // when all is written

  // Any thread.
  void Set(const config::Log& options);
  bool Enabled(base::Severity severity) const override { return severity >= level_.load(std::memory_order_relaxed); }
  void Write(base::Severity severity, absl::string_view message, const std::vector<base::LogField>& fields) override;

 private:
  std::atomic<base::Severity> level_;
  std::atomic<config::LogFormat> format_;
  std::shared_ptr<spdlog::details::thread_pool> thread_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace sluice::app
