#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <sluice/client.h>

namespace sluice::conformance {

// "retry 200" -> {"retry", "200"}
struct Step {
  std::string what;
  std::string argument;

  std::chrono::milliseconds Millis() const { return std::chrono::milliseconds(std::stoll(argument)); }
};
using Steps = std::vector<Step>;

Steps ParseSteps(const std::string& text);

// What the handlers of this process are to do, and are told to. Any thread.
class Script {
 public:
  // The steps of this attempt, the next one of this process.
  Steps ForAttempt(const Message& message);
  // Lets the handler that holds, or will hold, this message go on.
  void Release(uint64_t sequence, const std::string& steps);
  // Waits for that; nothing if it is stopped before.
  std::optional<Steps> AwaitRelease(uint64_t sequence, const std::stop_token& stop);
  // True if it was stopped before the time was over.
  bool Sleep(std::chrono::milliseconds time, const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<uint64_t, size_t> attempts_;
  std::multimap<uint64_t, Steps> released_;
};

}  // namespace sluice::conformance
