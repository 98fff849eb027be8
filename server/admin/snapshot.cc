#include "admin/snapshot.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace sluice::admin {
namespace {

ConsumerSnapshot CopyOf(const core::Consumer& consumer) {
  ConsumerSnapshot copy;
  copy.name = consumer.options().name;
  copy.stream = consumer.options().stream;
  copy.counters = consumer.counters();
  copy.gauges = consumer.gauges();
  copy.state = consumer.state();
  copy.state_detail = consumer.state_detail();
  copy.phase = consumer.phase();
  copy.report = consumer.drain_report();
  copy.drain_elapsed = consumer.drain_elapsed();
  copy.process_duration = consumer.process_duration();
  copy.ack_duration = consumer.ack_duration();
  return copy;
}

// Shared with the task, which may run after the wait.
struct Slot {
  absl::Notification filled;
  Snapshot snapshot;
};

}  // namespace

std::optional<Snapshot> LoopView::Take(absl::Duration patience) const {
  const auto slot = std::make_shared<Slot>();
  loop_->Post([this, slot] {
    slot->snapshot = Copy();
    slot->filled.Notify();
  });
  if (!slot->filled.WaitForNotificationWithTimeout(patience)) return std::nullopt;
  return std::move(slot->snapshot);
}

Snapshot LoopView::Copy() const {
  Snapshot snapshot;
  snapshot.phase = daemon_->phase();
  if (snapshot.phase == core::Daemon::Phase::kDraining) {
    snapshot.drain_left = daemon_->drain_deadline() - loop_->timers().now();
  }
  snapshot.nats = nats_();
  for (const auto& consumer : daemon_->consumers()) snapshot.consumers.push_back(CopyOf(*consumer));
  return snapshot;
}

}  // namespace sluice::admin
