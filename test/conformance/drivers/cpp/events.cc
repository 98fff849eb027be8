#include "test/conformance/drivers/cpp/events.h"

#include <unistd.h>
#include <zlib.h>

#include <cctype>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/escaping.h"
#include "test/conformance/drivers/cpp/trace.h"

namespace sluice::conformance {
namespace {

constexpr size_t kMostShown = 1024;  // bytes of data

std::string Base64(std::string_view bytes) { return absl::Base64Escape({bytes.data(), bytes.size()}); }

int64_t UnixNanos(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}
int64_t Now() { return UnixNanos(std::chrono::system_clock::now()); }

// "nats down" -> "NATS_DOWN"
std::string Spelled(std::string name) {
  for (char& c : name) c = c == ' ' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

const char* CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && static_cast<size_t>(code) < std::size(kNames) ? kNames[code] : "UNKNOWN";
}

}  // namespace

void Events::Write(const Json& event) {
  const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

void Events::Exit(int code) {
  std::lock_guard lock(mutex_);
  _exit(code);  // handlers may hang
}

void Told::Write(const char* event, const Json& fields) const {
  Json whole = {{"event", event}, {"as", as_}};
  whole.update(fields);
  events_.Write(whole);
}

void Told::Begin(const Message& message) const {
  Json headers = Json::array();
  for (const auto& [name, value] : message.headers()) headers.push_back({Base64(name), Base64(value)});
  const std::string_view data = message.data();
  const auto* bytes = reinterpret_cast<const Bytef*>(data.data());
  Write("begin", {{"sequence", message.stream_sequence()},
                  {"consumer_sequence", message.consumer_sequence()},
                  {"num_delivered", message.num_delivered()},
                  {"num_pending", message.num_pending()},
                  {"timestamp_ns", UnixNanos(message.timestamp())},
                  {"subject", Base64(message.subject())},
                  {"headers", headers},
                  {"key", Base64(message.key())},
                  {"size", data.size()},
                  {"crc32", crc32_z(crc32_z(0, nullptr, 0), bytes, data.size())},
                  {"trace", CurrentTraceId()},
                  {"data", Base64(data.substr(0, kMostShown))},
                  {"time_ns", Now()}});
}

void Told::End(const Message& message, std::string_view verdict, const bool* second) const {
  Json fields = {{"sequence", message.stream_sequence()},
                 {"verdict", verdict},
                 {"cancelled", message.cancelled()},
                 {"time_ns", Now()}};
  if (second != nullptr) fields["second"] = *second;
  Write("end", std::move(fields));
}

void Told::Cancelled(const Message& message) const { Write("cancelled", {{"sequence", message.stream_sequence()}}); }

void Told::Result(uint64_t stream_sequence, Outcome outcome) const {
  Write("result", {{"sequence", stream_sequence}, {"outcome", ToString(outcome)}});
}

void Told::Fetched(size_t count) const { Write("fetched", {{"count", count}}); }

void Told::State(sluice::State state, const std::string& detail) const {
  Write("state", {{"state", Spelled(ToString(state))}, {"detail", detail}});
}

void Told::Draining(const sluice::Draining& draining) const { Write("draining", {{"by_daemon", draining.by_daemon}}); }

void Told::Error(const grpc::Status& error) const { Write("error", {{"message", error.error_message()}}); }

void Told::Drained(const DrainReport& report) const {
  Write("drained", {{"report",
                     {{"completed", report.completed},
                      {"deadline_exceeded", report.deadline_exceeded},
                      {"awaited", report.awaited},
                      {"acked", report.acked},
                      {"terminated", report.terminated},
                      {"naked", report.naked},
                      {"expired", report.expired},
                      {"late", report.late},
                      {"released", report.released},
                      {"unsettled", report.unsettled},
                      {"dead_lettered", report.dead_lettered}}}});
}

void Told::Closed(const grpc::Status& end) const {
  Write("closed", {{"code", CodeName(end.error_code())}, {"message", end.error_message()}});
}

void Told::Stats(const sluice::Stats& stats) const {
  Write("stats", {{"stats",
                   {{"received", stats.received},
                    {"acked", stats.acked},
                    {"naked", stats.naked},
                    {"terminated", stats.terminated},
                    {"thrown", stats.thrown},
                    {"in_flight", stats.in_flight},
                    {"streams", stats.streams},
                    {"lost", stats.lost},
                    {"refused", stats.refused},
                    {"rejoined", stats.rejoined},
                    {"late", stats.late},
                    {"not_held", stats.not_held},
                    {"failed", stats.failed}}}});
}

}  // namespace sluice::conformance
