#include "core/drain.h"

#include "base/check.h"
#include "base/log.h"

namespace sluice::core {

void Drain::Enter(DrainPhase next) {
  SLUICE_CHECK(static_cast<int>(next) == static_cast<int>(phase_) + 1, "a drain takes its phases in order");
  const absl::Time now = timers_->now();
  if (active()) report_.phases[static_cast<int>(phase_)] = now - entered_;
  base::Log(base::Severity::kDebug, "drain phase",
            {{"consumer", name_}, {"from", DrainPhaseName(phase_)}, {"to", DrainPhaseName(next)}});
  phase_ = next;
  entered_ = now;
}

absl::Duration Drain::elapsed() const {
  const bool runs = active() && phase_ != DrainPhase::kClosed;
  return report_.total() + (runs ? timers_->now() - entered_ : absl::ZeroDuration());
}

}  // namespace sluice::core
