#include "jetstream/header_block.h"

#include <algorithm>

namespace sluice::jetstream {
namespace {

constexpr absl::string_view kVersion = "NATS/1.0";
constexpr absl::string_view kLineEnd = "\r\n";

// Takes the next line, without its end; what has no end is a line too.
absl::string_view TakeLine(absl::string_view& rest) {
  const size_t end = rest.find(kLineEnd);
  const absl::string_view line = rest.substr(0, end);
  rest = end == absl::string_view::npos ? absl::string_view() : rest.substr(end + kLineEnd.size());
  return line;
}

absl::string_view WithoutLeadingBlanks(absl::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == absl::string_view::npos ? text.substr(text.size()) : text.substr(begin);
}

}  // namespace

absl::string_view StatusOf(absl::string_view block) {
  if (block.substr(0, kVersion.size()) != kVersion) return absl::string_view();
  absl::string_view rest = block.substr(kVersion.size());
  absl::string_view status = WithoutLeadingBlanks(TakeLine(rest));
  while (!status.empty() && (status.back() == ' ' || status.back() == '\t')) status.remove_suffix(1);
  return status;
}

std::vector<core::Header> ParseHeaders(absl::string_view block) {
  std::vector<core::Header> headers;
  if (block.substr(0, kVersion.size()) != kVersion) return headers;
  TakeLine(block);
  headers.reserve(static_cast<size_t>(std::count(block.begin(), block.end(), '\n')));  // one allocation
  while (!block.empty()) {
    const absl::string_view line = TakeLine(block);
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    headers.push_back({line.substr(0, colon), WithoutLeadingBlanks(line.substr(colon + 1))});
  }
  return headers;
}

}  // namespace sluice::jetstream
