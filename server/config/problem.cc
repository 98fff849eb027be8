#include "config/problem.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sluice::config {

std::string Problem::Position() const { return line == 0 ? where : absl::StrCat(where, ":", line, ":", column); }

std::string Problem::ToString() const {
  if (rule.empty()) return absl::StrCat(Position(), ": ", text);
  return absl::StrCat(Position(), ": ", is_warning() ? "warning" : "error", ": ", rule, ": ", text);
}

void SortByPlace(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 80;
  std::string shown(text.substr(0, kMost));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); }, '?');
  return absl::StrCat("'", shown, text.size() > kMost ? "...'" : "'");
}

}  // namespace sluice::config
