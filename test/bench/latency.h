#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace sluice::bench {

// Publisher and app are on one machine, so one clock tells both when a message was published and when it was there.
inline int64_t MonotonicNanos() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// A paced message begins with the time at which it was published.
inline void Stamp(char* payload) {
  const int64_t now = MonotonicNanos();
  std::memcpy(payload, &now, sizeof now);
}

// How long messages took from the publisher to the app. One thread.
class Latencies {
 public:
  void Note(std::string_view payload) {
    const int64_t now = MonotonicNanos();
    int64_t published = 0;
    if (payload.size() < sizeof published) return;
    std::memcpy(&published, payload.data(), sizeof published);
    nanos_.push_back(now - published);
  }

  // A line of JSON, in us. Without the first 2 % where there are many: nothing was warm then.
  void Print() {
    const size_t cold = nanos_.size() >= 500 ? nanos_.size() / 50 : 0;
    std::vector<int64_t> sorted(nanos_.begin() + static_cast<ptrdiff_t>(cold), nanos_.end());
    std::sort(sorted.begin(), sorted.end());
    std::printf("{\"messages\": %zu, \"latency_us\": {", sorted.size());
    const char* separator = "";
    for (const double percent : kPercents) {
      std::printf("%s\"%g\": %.2f", separator, percent, At(sorted, percent));
      separator = ", ";
    }
    std::printf("}}\n");
    std::fflush(stdout);
  }

 private:
  static constexpr double kPercents[] = {1,  5,  10, 20, 30,   40,   50,    60,    70, 80,
                                         90, 95, 98, 99, 99.5, 99.9, 99.95, 99.99, 100};

  // Nearest rank.
  static double At(const std::vector<int64_t>& sorted, double percent) {
    if (sorted.empty()) return 0;
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
    return static_cast<double>(sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1]) / 1e3;
  }

  std::vector<int64_t> nanos_;
};

}  // namespace sluice::bench
