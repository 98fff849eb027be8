#include "test/conformance/drivers/cpp/script.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace sluice::conformance {

Steps ParseSteps(const std::string& text) {
  Steps steps;
  for (const absl::string_view step : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(absl::StripAsciiWhitespace(step), absl::MaxSplits(' ', 1));
    steps.push_back({parts.first, parts.second});
  }
  return steps;
}

Steps Script::ForAttempt(const Message& message) {
  size_t attempt = 0;
  {
    std::lock_guard lock(mutex_);
    attempt = attempts_[message.stream_sequence()]++;
  }
  const std::string script(message.header("Script").value_or("ack"));
  const std::vector<std::string> attempts = absl::StrSplit(script, '|');
  return ParseSteps(attempts[std::min(attempt, attempts.size() - 1)]);
}

void Script::Release(uint64_t sequence, const std::string& steps) {
  std::lock_guard lock(mutex_);
  released_.emplace(sequence, ParseSteps(steps));
  changed_.notify_all();
}

std::optional<Steps> Script::AwaitRelease(uint64_t sequence, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop, [&] { return released_.contains(sequence); })) return std::nullopt;
  const auto found = released_.find(sequence);
  Steps steps = std::move(found->second);
  released_.erase(found);
  return steps;
}

bool Script::Sleep(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
  return stop.stop_requested();
}

}  // namespace sluice::conformance
