#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "config/config.h"

namespace sluice::app {

// The process's log: lines on standard error, as configured. A thread of its own writes, so that a reader that is slow
// holds nobody up; when it falls behind by kQueuedLines, the oldest are lost, and their number is told at the end. Is
// base's sink for its lifetime; made before other threads log, and destroyed after.
class StderrLog final : public base::LogSink {
 public:
  static constexpr size_t kQueuedLines = 8192;

  explicit StderrLog(const config::Log& options);
  ~StderrLog() override;  // when all is written

  // Any thread.
  void Set(const config::Log& options);
  bool Enabled(base::Severity severity) const override { return severity >= level_.load(std::memory_order_relaxed); }
  void Write(base::Severity severity, absl::string_view message, const std::vector<base::LogField>& fields) override;

 private:
  void Run();

  std::atomic<base::Severity> level_;
  std::atomic<config::LogFormat> format_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // guarded by mutex_, like what follows; takes no memory for lines that do not wait
  size_t lost_ = 0;
  bool ending_ = false;

  std::thread thread_;  // last: it uses the others
};

}  // namespace sluice::app
