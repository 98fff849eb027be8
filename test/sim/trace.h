#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/timers.h"

namespace sluice::test {

// What happened in a simulation: the last lines for people, and a hash over all of them, by which two runs are
// compared.
class Trace {
 public:
  explicit Trace(const base::Timers* timers) : timers_(timers), start_(timers->now()) {}

  // `what` is a literal; the numbers are those it speaks of, as in "sent attempt, sequence, to daemon".
  void Add(const char* what, int64_t a = 0, int64_t b = 0, int64_t c = 0);

  uint64_t hash() const { return hash_; }
  uint64_t size() const { return size_; }
  // The last lines, oldest first.
  std::string ToString() const;

 private:
  struct Line {
    absl::Time time;
    const char* what = "";
    std::array<int64_t, 3> numbers{};
  };
  std::string Format(const Line& line) const;

  static constexpr size_t kKept = 200;  // lines; with TRACE in the environment all are printed as they come

  void Mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3 + (hash_ >> 47); }

  const base::Timers* const timers_;
  const absl::Time start_;
  std::array<Line, kKept> lines_;
  uint64_t size_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace sluice::test
