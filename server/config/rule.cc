#include "config/rule.h"

#include "absl/strings/str_cat.h"

namespace sluice::config {

Problem Broken(const Rule& rule, const Place& place, absl::string_view path, absl::string_view is) {
  Problem problem{place.where, place.line, place.column, absl::StrCat(path, " ", is, ": ", rule.why, "; ", rule.set)};
  problem.severity = rule.severity;
  problem.rule = rule.name;
  return problem;
}

}  // namespace sluice::config
