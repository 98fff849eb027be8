#include "test/integration/span.h"

#include <algorithm>
#include <cstdio>

#include "test/integration/told.h"

namespace sluice::integration {

std::ostream& operator<<(std::ostream& out, const Span& span) {
  return out << "key " << span.key << " seq " << span.stream_sequence << (span.acked ? " acked " : " failed ")
             << span.begin_us << ".." << span.end_us;
}

std::vector<Span> ReadSpans(const std::string& told_file) {
  std::vector<Span> spans;
  for (const Told& told : ReadTold(told_file)) {
    Span span = {.pid = told.pid, .end_us = told.at_us};
    int acked = 0;
    const bool is_span = std::sscanf(told.what.c_str(), "span-%d-%lu-%ld-%d-%lu", &span.key, &span.stream_sequence,
                                     &span.begin_us, &acked, &span.num_delivered) == 5;
    if (!is_span) continue;
    span.acked = acked != 0;
    spans.push_back(span);
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin_us < b.begin_us; });
  return spans;
}

}  // namespace sluice::integration
