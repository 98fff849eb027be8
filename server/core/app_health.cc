#include "core/app_health.h"

#include <utility>

namespace sluice::core {

AppHealth::AppHealth(base::Timers* timers, const AppHealthPolicy& policy, absl::AnyInvocable<void()> on_change,
                     absl::AnyInvocable<void()> on_probe_due)
    : timers_(timers),
      policy_(policy),
      on_change_(std::move(on_change)),
      on_probe_due_(std::move(on_probe_due)),
      next_probe_(timers) {}

void AppHealth::OnFailure() {
  if (policy_.failures == 0 || probing_) return;
  failures_.push_back(timers_->now());
  if (failures_.size() > policy_.failures) failures_.pop_front();
  const bool in_a_row = failures_.size() == policy_.failures;
  if (!in_a_row || timers_->now() - failures_.front() > policy_.window) return;
  probing_ = true;
  next_probe_.SetAfter(kBetweenProbes, [this] { on_probe_due_(); });
  on_change_();
}

void AppHealth::OnSuccess() {
  failures_.clear();
  if (!probing_) return;
  probing_ = false;
  probe_ = nullptr;
  next_probe_.Cancel();
  on_change_();
}

void AppHealth::OnLeft(const Delivery* delivery) {
  if (delivery != probe_ || probe_ == nullptr) return;
  probe_ = nullptr;
  next_probe_.SetAfter(kBetweenProbes, [this] { on_probe_due_(); });
}

}  // namespace sluice::core
