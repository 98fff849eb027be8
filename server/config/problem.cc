#include "config/problem.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sluice::config {

std::string Problem::ToString() const {
  if (line == 0) return absl::StrCat(where, ": ", text);
  return absl::StrCat(where, ":", line, ":", column, ": ", text);
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 80;
  std::string shown(text.substr(0, kMost));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); }, '?');
  return absl::StrCat("'", shown, text.size() > kMost ? "...'" : "'");
}

}  // namespace sluice::config
