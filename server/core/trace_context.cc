#include "core/trace_context.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"

namespace sluice::core {
namespace {

// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
constexpr size_t kVersionLength = 2;
constexpr size_t kTraceIdLength = 32;
constexpr size_t kLeastLength = 55;

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

absl::string_view TraceIdOf(absl::string_view traceparent) {
  if (traceparent.size() < kLeastLength || traceparent[kVersionLength] != '-') return "";
  const absl::string_view id = traceparent.substr(kVersionLength + 1, kTraceIdLength);
  const bool ends = traceparent[kVersionLength + 1 + kTraceIdLength] == '-';
  const bool is_hex = std::all_of(id.begin(), id.end(), IsHex);
  const bool is_zero = id.find_first_not_of('0') == absl::string_view::npos;
  return ends && is_hex && !is_zero ? id : "";
}

}  // namespace

absl::string_view TraceId(const Message& message) {
  for (const Header& header : message.headers) {
    if (absl::EqualsIgnoreCase(header.name, "traceparent")) return TraceIdOf(header.value);
  }
  return "";
}

std::vector<base::LogField> WithTrace(std::vector<base::LogField> fields, const Message& message) {
  if (const absl::string_view id = TraceId(message); !id.empty()) fields.emplace_back("trace_id", id);
  return fields;
}

}  // namespace sluice::core
