#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sluice::config {

// One thing that is wrong with a configuration.
struct Problem {
  std::string where;  // the file, or the flag or variable that the value came from
  int line = 0;       // from 1; 0: it has no place in a file
  int column = 0;     // from 1
  std::string text;   // what is wrong, and what to do

  // "orders.yaml:12:5: unknown key 'conusmers', did you mean 'consumers'?"
  std::string ToString() const;
};

// `text` as it may stand in a problem: in quotes, on one line, and not endless.
std::string Quoted(absl::string_view text);

}  // namespace sluice::config
