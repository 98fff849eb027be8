#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sluice::app {

// Rows of text in aligned columns, for people. A column whose cells are all numbers stands to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_({std::move(header)}) {}

  // As many cells as the header has.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // With a line break after each row; `indent` spaces before it.
  std::string ToString(size_t indent = 0) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first is the header
};

// 1234567 -> "1,234,567".
std::string WithCommas(uint64_t number);
// As a person would say it: "1.2 ms", "3.46 s", "2 m 5 s".
std::string ForPeople(absl::Duration duration);

}  // namespace sluice::app
