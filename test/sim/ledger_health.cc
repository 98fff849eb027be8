// Apps that fail in a row get probes. Only NAKs are counted here, so core may begin earlier than this knows of.
#include <utility>

#include "absl/strings/str_cat.h"
#include "test/sim/ledger.h"

namespace sluice::test {

void Ledger::OnAppHealth(DaemonRecord& daemon, core::Verdict verdict) {
  const core::AppHealthPolicy& policy = daemon.options.app_health;
  if (policy.failures == 0) return;
  if (verdict == core::Verdict::kAck) {
    daemon.naks.clear();
    daemon.probing = false;
    daemon.probe = 0;
  }
  if (verdict != core::Verdict::kNak || daemon.probing) return;
  daemon.naks.push_back(now());
  if (daemon.naks.size() > policy.failures) daemon.naks.pop_front();
  const bool in_a_row = daemon.naks.size() == policy.failures;
  if (in_a_row && now() - daemon.naks.front() <= policy.window) {
    daemon.probing = true;
    daemon.turbulent = true;  // what is queued for one app comes again for another
  }
}

// Mutations: what is queued for a slow app stays queued, or Run() instead of RunOne() ("a frame"); may_probe() without
// a look at probe_ ("two at once").
void Ledger::CheckProbe(DaemonRecord& daemon, const Attempt& attempt, size_t frame) {
  if (frame > 1) return Fail("a frame of messages for apps that only fail");
  const uint64_t last = std::exchange(daemon.probe, attempt.number);
  if (last != 0 && last != attempt.number && WithAnApp(*attempts_[last], fates_[last])) {
    Fail(absl::StrCat("two probes at once: attempts ", last, " and ", attempt.number));
  }
}

}  // namespace sluice::test
