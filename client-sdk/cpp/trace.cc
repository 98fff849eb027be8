#include "sluice/trace.h"

#include <algorithm>
#include <cctype>

namespace sluice {

std::optional<std::string_view> TraceCarrier::Get(std::string_view name) const {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  for (const auto& [header, value] : message_.headers()) {
    if (std::equal(header.begin(), header.end(), name.begin(), name.end(), same)) return value;
  }
  return std::nullopt;
}

}  // namespace sluice
