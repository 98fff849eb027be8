#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "app/dev/app_news.h"

namespace sluice::dev {

// The numbers of one moment.
struct Snapshot {
  absl::Duration uptime;
  uint64_t published = 0;
  uint64_t waiting = 0;  // published, and not with the app yet
  AppCounts app{};
  std::string phase{};    // "SERVING", "DRAINING", ...
  std::string trouble{};  // what is not well; empty: all is
  uint64_t restarts = 0;
};

// How fast a count grows: over the last second, and as a history for the eye.
class Meter {
 public:
  void Add(absl::Time now, uint64_t total);
  uint64_t per_second() const;
  std::string Sparkline() const;  // one character per Add(), the newest last

 private:
  static constexpr size_t kHistory = 32;  // characters

  struct Sample {
    absl::Time when;
    uint64_t total;
  };
  std::deque<Sample> last_second_;
  std::deque<uint64_t> growth_;
};

// The live view: a table drawn in place on a terminal, else one plain line a second. Written to `out`, which outlives
// it.
class Screen {
 public:
  Screen(std::FILE* out, std::vector<std::string> heading);

  // How often it wants to be drawn.
  absl::Duration interval() const { return terminal_ ? absl::Milliseconds(250) : absl::Seconds(1); }
  // False: nobody reads it any more.
  bool Draw(absl::Time now, const Snapshot& snapshot);

 private:
  std::string Line(const Snapshot& snapshot) const;

  std::FILE* const out_;
  const bool terminal_;
  const std::vector<std::string> heading_;
  size_t drawn_ = 0;  // lines on the terminal that the next drawing replaces
  Meter published_;
  Meter delivered_;
  Meter acked_;
};

// The table, and what draws lines over the `drawn` lines above, none wider than `width` characters.
std::vector<std::string> Table(const Snapshot& snapshot, const Meter& published, const Meter& delivered,
                               const Meter& acked);
std::string InPlace(const std::vector<std::string>& lines, size_t drawn, size_t width);

std::string Bar(double fraction, size_t width);     // full blocks and an eighth
std::string Seconds(absl::Duration duration);       // "1 m 05 s"
std::string Milliseconds(absl::Duration duration);  // "12.3 ms"

}  // namespace sluice::dev
