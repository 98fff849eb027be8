#include "test/conformance/drivers/cpp/trace.h"

#include <string_view>
#include <utility>

namespace sluice::conformance {
namespace {

constexpr size_t kVersion = 3;  // "00-"
constexpr size_t kTraceId = 32;

thread_local std::string current;

}  // namespace

std::shared_ptr<void> ScopeOf(const TraceCarrier& carrier) {
  const std::string_view parent = carrier.traceparent().value_or("");
  if (parent.size() < kVersion + kTraceId) return nullptr;
  const std::string_view id = parent.substr(kVersion, kTraceId);
  if (id.find_first_not_of('0') == std::string_view::npos) return nullptr;  // as W3C says: there is none
  const auto restore = [](std::string* before) {
    current = std::move(*before);
    delete before;
  };
  return std::shared_ptr<std::string>(new std::string(std::exchange(current, std::string(id))), restore);
}

std::string CurrentTraceId() { return current; }

}  // namespace sluice::conformance
