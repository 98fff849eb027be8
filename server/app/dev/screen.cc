#include "app/dev/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "app/table.h"

namespace sluice::dev {
namespace {

// Eighths of a character, upwards and to the right.
constexpr std::array<absl::string_view, 9> kHeights = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<absl::string_view, 9> kWidths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};

constexpr absl::string_view kClearToEndOfLine = "\x1b[K";
constexpr absl::string_view kClearBelow = "\x1b[J";

size_t TerminalWidth(std::FILE* out) {
  winsize size = {};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

// The first `width` characters of UTF-8, so that no line wraps.
absl::string_view Cut(absl::string_view text, size_t width) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts_one = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (starts_one && characters++ == width) return text.substr(0, i);
  }
  return text;
}

std::string Row(absl::string_view name, uint64_t total) {
  return absl::StrFormat("  %-14s %14s", name, app::WithCommas(total));
}

std::string Row(absl::string_view name, uint64_t total, const Meter& meter) {
  return absl::StrFormat("%s %12s  %s", Row(name, total), app::WithCommas(meter.per_second()), meter.Sparkline());
}

}  // namespace

void Meter::Add(absl::Time now, uint64_t total) {
  if (!last_second_.empty()) {
    growth_.push_back(total - std::min(total, last_second_.back().total));
    if (growth_.size() > kHistory) growth_.pop_front();
  }
  last_second_.push_back({now, total});
  while (last_second_.size() > 2 && last_second_[1].when <= now - absl::Seconds(1)) last_second_.pop_front();
}

uint64_t Meter::per_second() const {
  if (last_second_.size() < 2) return 0;
  const Sample& first = last_second_.front();
  const Sample& last = last_second_.back();
  const double seconds = absl::ToDoubleSeconds(last.when - first.when);
  if (seconds <= 0 || last.total < first.total) return 0;
  return static_cast<uint64_t>(static_cast<double>(last.total - first.total) / seconds + 0.5);
}

std::string Meter::Sparkline() const {
  const uint64_t most = growth_.empty() ? 0 : *std::max_element(growth_.begin(), growth_.end());
  std::string line;
  for (const uint64_t growth : growth_) {
    const size_t height = growth == 0 ? 0 : std::max<size_t>(1, growth * (kHeights.size() - 1) / most);
    absl::StrAppend(&line, kHeights[height]);
  }
  return line;
}

Screen::Screen(std::FILE* out, std::vector<std::string> heading)
    : out_(out), terminal_(isatty(fileno(out)) == 1), heading_(std::move(heading)) {
  for (const std::string& line : heading_) absl::FPrintF(out_, "%s\n", line);
  std::fflush(out_);
}

bool Screen::Draw(absl::Time now, const Snapshot& snapshot) {
  published_.Add(now, snapshot.published);
  delivered_.Add(now, snapshot.app.delivered);
  acked_.Add(now, snapshot.app.acked);
  if (terminal_) {
    const std::vector<std::string> lines = Table(snapshot, published_, delivered_, acked_);
    const std::string frame = InPlace(lines, drawn_, TerminalWidth(out_));
    std::fwrite(frame.data(), 1, frame.size(), out_);
    drawn_ = lines.size();
  } else {
    absl::FPrintF(out_, "%s\n", Line(snapshot));
  }
  return std::fflush(out_) == 0;
}

std::string Screen::Line(const Snapshot& s) const {
  std::string line =
      absl::StrFormat("%-8s %-10s published=%d delivered=%d acked=%d redelivered=%d in_flight=%d rate=%d/s restarts=%d",
                      Seconds(s.uptime), s.phase, s.published, s.app.delivered, s.app.acked, s.app.redelivered,
                      s.app.in_flight, acked_.per_second(), s.restarts);
  if (!s.trouble.empty()) absl::StrAppend(&line, " (", s.trouble, ")");
  return line;
}

std::vector<std::string> Table(const Snapshot& s, const Meter& published, const Meter& delivered, const Meter& acked) {
  std::string status = absl::StrFormat("  %-14s up %s", s.phase, Seconds(s.uptime));
  if (s.restarts > 0) absl::StrAppend(&status, ", daemon restarted ", s.restarts, s.restarts == 1 ? " time" : " times");
  if (!s.trouble.empty()) absl::StrAppend(&status, "; ", s.trouble);
  return {"",
          status,
          "",
          absl::StrFormat("  %-14s %14s %12s", "", "messages", "per second"),
          Row("published", s.published, published),
          Row("delivered", s.app.delivered, delivered),
          Row("acked", s.app.acked, acked),
          Row("redelivered", s.app.redelivered),
          Row("in flight", s.app.in_flight),
          Row("waiting", s.waiting),
          ""};
}

std::string InPlace(const std::vector<std::string>& lines, size_t drawn, size_t width) {
  std::string frame;
  if (drawn > 0) absl::StrAppend(&frame, "\x1b[", drawn, "A");
  for (const std::string& line : lines) absl::StrAppend(&frame, Cut(line, width), kClearToEndOfLine, "\n");
  absl::StrAppend(&frame, kClearBelow);
  return frame;
}

std::string Bar(double fraction, size_t width) {
  const double eighths = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(width * 8);
  const size_t filled = static_cast<size_t>(eighths + 0.5);
  std::string bar;
  for (size_t i = 0; i < filled / 8; ++i) absl::StrAppend(&bar, kWidths.back());
  return absl::StrCat(bar, kWidths[filled % 8]);
}

std::string Seconds(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, " s");
  if (seconds < 3600) return absl::StrFormat("%d m %02d s", seconds / 60, seconds % 60);
  return absl::StrFormat("%d h %02d m", seconds / 3600, seconds / 60 % 60);
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.1f ms", absl::ToDoubleMilliseconds(duration));
}

}  // namespace sluice::dev
