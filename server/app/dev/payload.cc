#include "app/dev/payload.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::dev {

std::string MakePayload(uint64_t number, size_t size) {
  std::string payload = absl::StrCat(number, " ");
  if (payload.size() < size) payload.append(size - payload.size(), '.');
  return payload;
}

std::optional<uint64_t> NumberOf(absl::string_view payload) {
  uint64_t number = 0;
  const size_t end = payload.find(' ');
  if (end == absl::string_view::npos || !absl::SimpleAtoi(payload.substr(0, end), &number) || number == 0) {
    return std::nullopt;
  }
  return number;
}

}  // namespace sluice::dev
