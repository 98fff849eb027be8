#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace sluice::internal {

// How many messages to ask for when the app does not say: what its handlers finish in a quarter of a second. Enough
// that quick ones never wait for the daemon, and so little that slow ones finish what they hold within a drain. Guarded
// by the Session's mutex.
class CreditWindow {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // As much as a frame carries sixteen times over: more makes nothing quicker.
  static constexpr uint32_t kMost = 4096;

  // `fixed`: the app's own choice; 0: none.
  CreditWindow(uint32_t fixed, int concurrency)
      : adapts_(fixed == 0),
        least_(std::max(8u, 4 * static_cast<uint32_t>(concurrency))),
        messages_(adapts_ ? least_ : fixed) {}

  uint32_t messages() const { return messages_; }
  uint32_t most() const { return adapts_ ? std::max(kMost, least_) : messages_; }

  // When messages arrive: `settled` is the count of verdicts so far. Returns the new credit, if it is to change.
  std::optional<uint32_t> Update(Time now, uint64_t settled) {
    if (!adapts_ || now - measured_at_ < kInterval) return std::nullopt;
    const bool resting = now - measured_at_ > 10 * kInterval;  // says nothing about how quick the handlers are
    const double seconds = std::chrono::duration<double>(now - measured_at_).count();
    const double rate = static_cast<double>(settled - measured_settled_) / seconds;
    measured_at_ = now;
    measured_settled_ = settled;
    if (resting) return std::nullopt;
    const auto wanted = static_cast<uint32_t>(std::clamp<double>(rate * kSeconds, least_, most()));
    if (wanted < messages_ * 2 && wanted > messages_ / 2) return std::nullopt;  // not worth a request
    messages_ = wanted;
    return messages_;
  }

 private:
  static constexpr auto kInterval = std::chrono::milliseconds(50);
  static constexpr double kSeconds = 0.25;

  const bool adapts_;
  const uint32_t least_;
  uint32_t messages_;
  Time measured_at_{};
  uint64_t measured_settled_ = 0;
};

}  // namespace sluice::internal
