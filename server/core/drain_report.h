#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice::core {

//  SERVING -> QUIESCING -> FENCING -> RELEASING -> SETTLING -> CONFIRMING -> CLOSED
//
// QUIESCING   no new pull, nothing new to apps; the one open pull ends
// FENCING     the subscription is drained, then CONSUMER.INFO: no message can be under way any more
// RELEASING   what no app has seen is NAKed, ascending
// SETTLING    apps finish, until the deadline; then the rest is NAKed
// CONFIRMING  the last settlement is confirmed by the server, and so all earlier ones
// CLOSED      `Drained` to every stream
enum class DrainPhase : uint8_t { kServing, kQuiescing, kFencing, kReleasing, kSettling, kConfirming, kClosed };
inline constexpr int kDrainPhases = 7;

absl::string_view DrainPhaseName(DrainPhase phase);  // "SERVING", ...

// What became of the messages that were outstanding when a drain began; see sluice.v1.DrainReport.
struct DrainReport {
  uint64_t awaited = 0;
  uint64_t acked = 0;
  uint64_t terminated = 0;
  uint64_t naked = 0;
  uint64_t expired = 0;
  uint64_t late = 0;
  uint64_t released = 0;
  uint64_t unsettled = 0;
  uint64_t dead_lettered = 0;
  bool deadline_exceeded = false;
  std::array<absl::Duration, kDrainPhases> phases{};  // by DrainPhase

  absl::Duration total() const;
  // Adds another consumer's: counts are summed, a phase lasts as long as the slowest.
  void Add(const DrainReport& other);
  // "awaited=3 acked=3 ..." for logs.
  std::string ToString() const;
};

}  // namespace sluice::core
