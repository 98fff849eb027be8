#include "test/sim/trace.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_format.h"

namespace sluice::test {

void Trace::Add(const char* what, int64_t a, int64_t b, int64_t c) {
  static const bool all = std::getenv("TRACE") != nullptr;
  Line& line = lines_[size_++ % kKept] = {timers_->now(), what, {a, b, c}};
  if (all) std::fputs(Format(line).c_str(), stderr);
  Mix(static_cast<uint64_t>(absl::ToInt64Microseconds(timers_->now() - start_)));
  for (const char* letter = what; *letter != '\0'; ++letter) Mix(static_cast<unsigned char>(*letter));
  for (int64_t number : {a, b, c}) Mix(static_cast<uint64_t>(number));
}

std::string Trace::Format(const Line& line) const {
  return absl::StrFormat("%10.4f  %s %d %d %d\n", absl::ToDoubleSeconds(line.time - start_), line.what, line.numbers[0],
                         line.numbers[1], line.numbers[2]);
}

std::string Trace::ToString() const {
  std::string text;
  for (uint64_t index = size_ - std::min<uint64_t>(size_, kKept); index < size_; ++index) {
    text += Format(lines_[index % kKept]);
  }
  return text;
}

}  // namespace sluice::test
