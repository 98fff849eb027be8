#include "app/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace sluice::app {
namespace {

constexpr size_t kGap = 2;  // spaces between columns

bool IsNumber(absl::string_view cell) { return !cell.empty() && (absl::ascii_isdigit(cell[0]) || cell == "-"); }

// How many places it takes on a terminal: one for each character of UTF-8.
size_t Width(absl::string_view cell) {
  return std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

}  // namespace

std::string Table::ToString(size_t indent) const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns);
  std::vector<bool> right(columns, rows_.size() > 1);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], Width(rows_[r][c]));
      if (r > 0 && !IsNumber(rows_[r][c])) right[c] = false;
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line(indent, ' ');
    for (size_t c = 0; c < columns; ++c) {
      const std::string padding(widths[c] - Width(row[c]), ' ');
      absl::StrAppend(&line, c == 0 ? "" : std::string(kGap, ' '), right[c] ? padding : "", row[c],
                      right[c] ? "" : padding);
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return text;
}

std::string WithCommas(uint64_t number) {
  std::string text = absl::StrCat(number);
  for (size_t i = text.size(); i > 3;) text.insert(i -= 3, 1, ',');
  return text;
}

std::string ForPeople(absl::Duration duration) {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(duration));
  if (seconds < 1) return absl::StrFormat("%.1f ms", seconds * 1000);
  if (seconds < 60) return absl::StrFormat("%.2f s", seconds);
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 3600) return absl::StrFormat("%d m %d s", whole / 60, whole % 60);
  if (whole < 86400) return absl::StrFormat("%d h %d m", whole / 3600, whole / 60 % 60);
  return absl::StrFormat("%d d %d h", whole / 86400, whole / 3600 % 24);
}

}  // namespace sluice::app
