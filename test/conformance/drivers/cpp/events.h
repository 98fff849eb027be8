#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include <sluice/client.h>

#include "nlohmann/json.hpp"

namespace sluice::conformance {

using Json = nlohmann::ordered_json;

// What the runner is told: one JSON object a line, on standard output. Any thread.
class Events {
 public:
  void Write(const Json& event);
  // Flushes, and ends the process; nothing is written after it.
  [[noreturn]] void Exit(int code);

 private:
  std::mutex mutex_;
};

// The same for one consumption.
class Told {
 public:
  Told(Events& events, std::string as) : events_(events), as_(std::move(as)) {}

  void Begin(const Message& message) const;
  void End(const Message& message, std::string_view verdict, const bool* second) const;
  void Cancelled(const Message& message) const;
  void Result(uint64_t stream_sequence, Outcome outcome) const;
  void Fetched(size_t count) const;
  void State(sluice::State state, const std::string& detail) const;
  void Draining(const sluice::Draining& draining) const;
  void Error(const grpc::Status& error) const;
  void Drained(const DrainReport& report) const;
  void Closed(const grpc::Status& end) const;
  void Stats(const sluice::Stats& stats) const;

 private:
  void Write(const char* event, const Json& fields) const;

  Events& events_;
  const std::string as_;
};

}  // namespace sluice::conformance
