#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace sluice::internal {

// How many messages to ask for when the app does not say. Enough that its handlers never wait for the daemon, and no
// more, as a drain finishes what is held, and siblings could have it meanwhile. So where a handler had nothing to do,
// for all that they finish in kMostSeconds, which the way to the server may take; and where something was held all the
// time that no handler had begun, for so much less that it is what they finish in kSpareSeconds. Guarded by the
// Session's mutex.
class CreditWindow {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // As much as a frame carries sixteen times over: more makes nothing quicker.
  static constexpr uint32_t kMost = 4096;

  // `fixed`: the app's own choice; 0: none.
  CreditWindow(uint32_t fixed, int concurrency)
      : adapts_(fixed == 0),
        concurrency_(concurrency),
        least_(std::max(8u, 4 * static_cast<uint32_t>(concurrency))),
        messages_(adapts_ ? least_ : fixed) {}

  uint32_t messages() const { return messages_; }
  uint32_t most() const { return adapts_ ? std::max(kMost, least_) : messages_; }

  // When messages arrive: `settled` is the count of verdicts so far, `held` the messages that were here before them; 0
  // if handlers may have nothing to do all the same. Returns the new credit, if it is to change.
  std::optional<uint32_t> Update(Time now, uint64_t settled, uint64_t held) {
    least_held_ = std::min(least_held_, held);
    if (!adapts_ || now - measured_at_ < kInterval) return std::nullopt;
    const bool resting = now - measured_at_ > 10 * kInterval;  // says nothing about how quick the handlers are
    const double seconds = std::chrono::duration<double>(now - measured_at_).count();
    const double rate = static_cast<double>(settled - measured_settled_) / seconds;
    measured_at_ = now;
    measured_settled_ = settled;
    const double spare = static_cast<double>(std::exchange(least_held_, kUnknown)) - concurrency_;
    if (resting) return std::nullopt;
    const auto wanted = static_cast<uint32_t>(std::clamp<double>(Wanted(rate, spare), least_, most()));
    if (wanted < messages_ * 2 && wanted > messages_ / 2) return std::nullopt;  // not worth a request
    messages_ = wanted;
    return messages_;
  }

 private:
  static constexpr auto kInterval = std::chrono::milliseconds(50);
  static constexpr double kMostSeconds = 0.25;
  static constexpr double kSpareSeconds = 0.025;
  static constexpr double kGrowth = 4;  // at once: a hiccup on the way may be all that it was
  static constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

  // The daemon asks for more when half of it is free: of a message less to ask for, half is missing when that comes.
  double Wanted(double rate, double spare) const {
    const double most = rate * kMostSeconds;
    if (spare < 0) return std::min(kGrowth * messages_, most);
    const double surplus = std::max(spare - rate * kSpareSeconds, 0.0);
    return std::min(messages_ - 2 * surplus, most);
  }

  const bool adapts_;
  const int concurrency_;
  const uint32_t least_;
  uint32_t messages_;
  Time measured_at_{};
  uint64_t measured_settled_ = 0;
  uint64_t least_held_ = kUnknown;  // since then
};

}  // namespace sluice::internal
