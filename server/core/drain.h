#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/timers.h"
#include "core/drain_report.h"

namespace sluice::core {

// Where a drain stands, and what it has seen: the one place that moves from phase to phase. What is done in each phase
// is Consumer's business. Loop only.
class Drain {
 public:
  // `name` is for the log.
  Drain(base::Timers* timers, std::string name) : timers_(timers), name_(std::move(name)) {}

  DrainPhase phase() const { return phase_; }
  bool active() const { return phase_ != DrainPhase::kServing; }
  // The time in which a NAK would bounce straight back into this consumer's own open pull.
  bool nak_would_bounce() const { return phase_ == DrainPhase::kQuiescing || phase_ == DrainPhase::kFencing; }

  // The only way is forward, one phase at a time; anything else is a bug and aborts.
  void Enter(DrainPhase next);

  // Since its begin; until its end. Zero: it has not begun.
  absl::Duration elapsed() const;

  DrainReport& report() { return report_; }
  const DrainReport& report() const { return report_; }

 private:
  base::Timers* const timers_;
  const std::string name_;
  DrainPhase phase_ = DrainPhase::kServing;
  absl::Time entered_;
  DrainReport report_;
};

}  // namespace sluice::core
