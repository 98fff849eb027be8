#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace sluice::integration {

// One run of a handler, as the mode `spans` of integration_app tells it (told.h).
struct Span {
  int64_t pid = 0;
  int key = 0;
  uint64_t stream_sequence = 0;
  uint64_t num_delivered = 0;
  int64_t begin_us = 0;
  int64_t end_us = 0;
  bool acked = false;
};

std::ostream& operator<<(std::ostream& out, const Span& span);

// In the order of their beginnings.
std::vector<Span> ReadSpans(const std::string& told_file);

}  // namespace sluice::integration
