#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/log.h"

namespace sluice::config {

// One thing that is wrong, or unwise, with a configuration.
struct Problem {
  std::string where;                                 // the file, or the flag or variable that the value came from
  int line = 0;                                      // from 1; 0: it has no place in a file
  int column = 0;                                    // from 1
  std::string text;                                  // what is wrong, and what to do
  base::Severity severity = base::Severity::kError;  // or kWarning
  std::string rule{};  // the name of the Rule that is broken; empty: it is not even well-formed

  bool is_warning() const { return severity == base::Severity::kWarning; }
  // "orders.yaml:12:5"
  std::string Position() const;
  // "orders.yaml:12:5: unknown key 'conusmers', did you mean 'consumers'?", "orders.yaml:9:7: warning: max-deliver-one:
  // consumers[0].config.max_deliver is 1: ...; set ..."
  std::string ToString() const;
};

// Into the order of the file; what has no place in it comes first.
void SortByPlace(std::vector<Problem>& problems);

// `text` as it may stand in a problem: in quotes, on one line, and not endless.
std::string Quoted(absl::string_view text);

}  // namespace sluice::config
