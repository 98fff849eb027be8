#include "core/daemon.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/nearest.h"

namespace sluice::core {

void Daemon::AddConsumer(const ConsumerOptions& options, std::unique_ptr<MessageSource> source,
                         std::unique_ptr<DeadLetterSink> sink) {
  Consumer::Owner* const owner = this;
  consumers_.push_back(
      std::make_unique<Consumer>(timers_, options, std::move(source), owner, std::move(sink), tokens_));
}

absl::StatusOr<Session*> Daemon::Open(const OpenRequest& request, AppStream* stream) {
  Consumer* consumer = FindConsumer(request.consumer);
  if (consumer == nullptr) return UnknownConsumer(request.consumer);
  return consumer->Open(request, stream);
}

bool Daemon::Drain(absl::Duration timeout) {
  if (phase_ != Phase::kServing) return false;
  phase_ = Phase::kDraining;
  deadline_ = timers_->now() + timeout;
  base::LogInfo("draining", {{"timeout", absl::FormatDuration(timeout)}});
  for (auto& callback : std::exchange(when_draining_, {})) callback();
  for (const auto& consumer : consumers_) consumer->BeginDrain(deadline_);
  OnDrained();  // there may be nothing to wait for
  return true;
}

void Daemon::Terminate(absl::Duration timeout, DrainedCallback exit) {
  if (terminating_) return;
  terminating_ = true;
  Drain(timeout);
  WhenDrained(std::move(exit));
  OnStreamEnded();
}

void Daemon::WhenDraining(absl::AnyInvocable<void()> callback) {
  if (phase_ == Phase::kServing) {
    when_draining_.push_back(std::move(callback));
  } else {
    callback();
  }
}

void Daemon::WhenDrained(DrainedCallback callback) {
  if (phase_ == Phase::kDrained) {
    callback(report_);
  } else {
    when_drained_.push_back(std::move(callback));
  }
}

// Nobody can come back once the process was told to end and the last app is gone.
void Daemon::OnStreamEnded() {
  if (!terminating_ || phase_ != Phase::kDraining) return;
  for (const auto& consumer : consumers_) {
    if (consumer->gauges().streams > 0) return;
  }
  for (const auto& consumer : consumers_) consumer->EndResumeWindows();
}

void Daemon::OnDrained() {
  if (phase_ != Phase::kDraining) return;
  for (const auto& consumer : consumers_) {
    if (consumer->phase() != DrainPhase::kClosed) return;
  }
  phase_ = Phase::kDrained;
  for (const auto& consumer : consumers_) {
    report_.total.Add(consumer->drain_report());
    report_.consumers.emplace_back(consumer->options().name, consumer->drain_report());
  }
  for (auto& callback : std::exchange(when_drained_, {})) callback(report_);
}

Consumer* Daemon::FindConsumer(absl::string_view name) {
  for (const auto& consumer : consumers_) {
    if (consumer->options().name == name) return consumer.get();
  }
  return nullptr;
}

absl::Status Daemon::UnknownConsumer(absl::string_view name) const {
  std::vector<std::string> names;
  for (const auto& consumer : consumers_) names.push_back(consumer->options().name);
  const std::string known = absl::StrJoin(names, ", ");
  const std::string meant = base::Nearest(name, names);
  const std::string hint = meant.empty() ? "" : absl::StrCat("; did you mean '", meant, "'?");
  return absl::NotFoundError(absl::StrCat("no consumer '", name, "' is configured; known: ", known, hint));
}

}  // namespace sluice::core
