#include "app/stderr_log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "app/log_format.h"

namespace sluice::app {
namespace {

// Waits for the reader; nothing helps if there is none.
void WriteAll(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready = {STDERR_FILENO, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

StderrLog::StderrLog(const config::Log& options)
    : level_(options.level), format_(options.format), thread_([this] { Run(); }) {
  base::SetLogSink(this);
}

StderrLog::~StderrLog() {
  base::SetLogSink(nullptr);
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (lost_ > 0) std::fprintf(stderr, "sluice: %zu log lines were lost, as standard error was not read\n", lost_);
}

void StderrLog::Set(const config::Log& options) {
  level_ = options.level;
  format_ = options.format;
}

void StderrLog::Write(base::Severity severity, absl::string_view message, const std::vector<base::LogField>& fields) {
  const auto format = format_.load(std::memory_order_relaxed) == config::LogFormat::kJson ? FormatJson : FormatText;
  std::string line = format(absl::Now(), severity, message, fields);
  line += '\n';
  {
    std::lock_guard lock(mutex_);
    if (lines_.size() == kQueuedLines) {
      lines_.pop_front();
      ++lost_;
    }
    lines_.push_back(std::move(line));
  }
  changed_.notify_one();
}

// One line at a time: what waits can still be counted as lost only while it is in the queue.
void StderrLog::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !lines_.empty(); });
    if (lines_.empty()) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    WriteAll(line);
    lock.lock();
  }
}

}  // namespace sluice::app
