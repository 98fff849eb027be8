#pragma once

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <vector>

namespace sluice::integration {

// Figures that a test prints beside its verdict.
class Percentiles {
 public:
  void Add(double value) { values_.push_back(value); }
  size_t size() const { return values_.size(); }
  double max() const { return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end()); }
  double p50() const {
    if (values_.empty()) return 0;
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }

  friend std::ostream& operator<<(std::ostream& out, const Percentiles& figures) {
    return out << "p50 " << figures.p50() << ", max " << figures.max();
  }

 private:
  std::vector<double> values_;
};

}  // namespace sluice::integration
