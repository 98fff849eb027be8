#include "client-sdk/cpp/hooks.h"

#include <cstdio>
#include <utility>

namespace sluice {

void LogToStderr(LogLevel level, std::string_view line) {
  if (level == LogLevel::kInfo) return;
  std::fprintf(stderr, "sluice: %.*s\n", static_cast<int>(line.size()), line.data());
}

namespace internal {
namespace {

LogLevel LevelOf(State state) {
  return state == State::kServing || state == State::kPinnedElsewhere || state == State::kClosed ? LogLevel::kInfo
                                                                                                 : LogLevel::kWarning;
}

std::string Describe(const DrainReport& report) {
  std::string text = "drained: " + std::to_string(report.awaited) + " awaited, " + std::to_string(report.acked) +
                     " acked, " + std::to_string(report.terminated) + " terminated, " + std::to_string(report.naked) +
                     " naked, " + std::to_string(report.released) + " released";
  if (report.unsettled > 0) text += ", " + std::to_string(report.unsettled) + " UNSETTLED";
  return text;
}

}  // namespace

void Hooks::TellState(State state, const std::string& detail) {
  // An outage is one line, however many attempts it takes; and a start that waits for nothing is none.
  const bool news = std::exchange(logged_state_, state) != state || state == State::kClosed;
  const bool begins = state == State::kConnecting && detail.empty();
  if (begins) logged_state_.reset();
  if (news && !begins) {
    std::string line = ToString(state);
    if (!detail.empty()) line += ": " + detail;
    if (state == State::kConnecting) line += "; trying again";
    Write(LevelOf(state), line);
  }
  Call("on_state", options_.on_state, state, detail);
}

void Hooks::TellDraining(const Draining& draining) {
  Write(LogLevel::kInfo, draining.by_daemon ? "draining, as the daemon ends" : "draining");
  Call("on_draining", options_.on_draining, draining);
}

void Hooks::TellDrained(const DrainReport& report) {
  Write(report.unsettled > 0 || report.deadline_exceeded ? LogLevel::kWarning : LogLevel::kInfo, Describe(report));
  Call("on_drained", options_.on_drained, report);
}

void Hooks::TellError(grpc::StatusCode code, const std::string& message) {
  const bool late = code == grpc::StatusCode::DEADLINE_EXCEEDED || code == grpc::StatusCode::UNAVAILABLE;
  Write(late ? LogLevel::kWarning : LogLevel::kError, message);
  Call("on_error", options_.on_error, grpc::Status(code, message));
}

void Hooks::TellOutcome(uint64_t stream_sequence, Outcome outcome) {
  Call("on_outcome", options_.on_outcome, stream_sequence, outcome);
}

void Hooks::TellStats(const Stats& stats) { Call("on_stats", options_.on_stats, stats); }

std::shared_ptr<void> Hooks::EnterTrace(const Message& message) {
  std::shared_ptr<void> scope;
  Try("trace", [&] { scope = options_.trace(TraceCarrier(message)); });
  return scope;
}

void Hooks::Write(LogLevel level, std::string_view line) {
  if (!log_) return;
  std::string whole = prefix_;
  whole += line;
  try {
    std::lock_guard lock(mutex_);
    log_(level, whole);
  } catch (...) {
    // A log that throws leaves nobody to tell; the stream must go on.
  }
}

}  // namespace internal
}  // namespace sluice
