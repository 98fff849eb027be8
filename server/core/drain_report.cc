#include "core/drain_report.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace sluice::core {

absl::string_view DrainPhaseName(DrainPhase phase) {
  static constexpr absl::string_view kNames[kDrainPhases] = {"SERVING",  "QUIESCING",  "FENCING", "RELEASING",
                                                             "SETTLING", "CONFIRMING", "CLOSED"};
  return kNames[static_cast<int>(phase)];
}

absl::Duration DrainReport::total() const {
  absl::Duration sum;
  for (absl::Duration phase : phases) sum += phase;
  return sum;
}

void DrainReport::Add(const DrainReport& other) {
  awaited += other.awaited;
  acked += other.acked;
  terminated += other.terminated;
  naked += other.naked;
  expired += other.expired;
  late += other.late;
  released += other.released;
  unsettled += other.unsettled;
  dead_lettered += other.dead_lettered;
  deadline_exceeded |= other.deadline_exceeded;
  for (int i = 0; i < kDrainPhases; ++i) phases[i] = std::max(phases[i], other.phases[i]);
}

std::string DrainReport::ToString() const {
  return absl::StrFormat(
      "awaited=%d acked=%d terminated=%d naked=%d expired=%d late=%d released=%d unsettled=%d dead_lettered=%d "
      "deadline_exceeded=%s "
      "took=%s",
      awaited, acked, terminated, naked, expired, late, released, unsettled, dead_lettered,
      deadline_exceeded ? "yes" : "no", absl::FormatDuration(absl::Floor(total(), absl::Microseconds(1))));
}

}  // namespace sluice::core
