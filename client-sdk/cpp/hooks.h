#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/options.h"

namespace sluice::internal {

// Tells the app, by its hooks and its log, what happens to one consumption. Nothing that an app's code throws gets past
// this. Any thread; never with a mutex held, as the app's code runs. Owned by the Session.
class Hooks {
 public:
  Hooks(const std::string& consumer, const ConsumeOptions& options, Log log)
      : options_(options), prefix_(consumer + ": "), log_(std::move(log)) {}

  void TellState(State state, const std::string& detail);
  void TellDraining(const Draining& draining);
  void TellDrained(const DrainReport& report);
  void TellError(grpc::StatusCode code, const std::string& message);
  void TellOutcome(uint64_t stream_sequence, Outcome outcome);
  void TellStats(const Stats& stats);
  // The app's context of a message's trace, for as long as it is kept.
  std::shared_ptr<void> EnterTrace(const Message& message);

  bool wants_outcomes() const { return static_cast<bool>(options_.on_outcome); }
  bool wants_stats() const { return static_cast<bool>(options_.on_stats); }
  bool wants_traces() const { return static_cast<bool>(options_.trace); }

  // Calls what is the app's, where there is something. `what` names it, should it throw.
  template <typename F, typename... Args>
  void Call(const char* what, const F& function, const Args&... args) {
    if (function) Try(what, [&] { function(args...); });
  }

 private:
  template <typename F>
  void Try(const char* what, F call) {
    try {
      call();
    } catch (const std::exception& e) {
      Write(LogLevel::kError, std::string(what) + " threw: " + e.what());
    } catch (...) {
      Write(LogLevel::kError, std::string(what) + " threw");
    }
  }
  void Write(LogLevel level, std::string_view line);

  const ConsumeOptions& options_;
  const std::string prefix_;
  const Log log_;

  std::mutex mutex_;  // one line at a time
  std::optional<State> logged_state_;
};

}  // namespace sluice::internal
