#include "base/nearest.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace sluice::base {
namespace {

constexpr size_t kLongestWord = 64;  // no key is nearly as long

std::string Fold(absl::string_view word) {
  std::string folded = absl::AsciiStrToLower(word);
  std::replace(folded.begin(), folded.end(), '-', '_');
  return folded;
}

// How many letters must be inserted, removed, replaced or swapped with their neighbour (optimal string alignment).
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string Nearest(absl::string_view word, absl::Span<const std::string> known) {
  if (word.size() > kLongestWord) return "";
  const std::string folded = Fold(word);
  std::string nearest;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;  // one slip in three letters is still a typing error
  for (const std::string& candidate : known) {
    const size_t distance = Distance(folded, Fold(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace sluice::base
