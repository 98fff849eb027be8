#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "admin/facts.h"
#include "base/event_loop.h"
#include "core/daemon.h"
#include "core/histogram.h"

namespace sluice::admin {

struct ConsumerSnapshot {
  std::string name;
  std::string stream;
  core::Counters counters;
  core::Consumer::Gauges gauges;
  core::ConsumerState state = core::ConsumerState::kNatsDown;
  std::string state_detail;
  core::DrainPhase phase = core::DrainPhase::kServing;
  core::DrainReport report;
  absl::Duration drain_elapsed;
  core::Histogram process_duration;
  core::Histogram ack_duration;
};

// What the loop knows, copied at one moment: no probe and no scrape holds it up for longer than the copy takes.
struct Snapshot {
  core::Daemon::Phase phase = core::Daemon::Phase::kServing;
  absl::Duration drain_left;  // until its deadline, while draining
  NatsFacts nats;
  std::vector<ConsumerSnapshot> consumers;
};

// The way from HTTP's threads to the loop.
class LoopView {
 public:
  LoopView(base::EventLoop* loop, const core::Daemon* daemon, std::function<NatsFacts()> nats)
      : loop_(loop), daemon_(daemon), nats_(std::move(nats)) {}

  // Any thread but the loop's. Nothing if the loop does not answer within `patience`.
  std::optional<Snapshot> Take(absl::Duration patience) const;

 private:
  Snapshot Copy() const;  // loop

  base::EventLoop* const loop_;
  const core::Daemon* const daemon_;  // loop only
  const std::function<NatsFacts()> nats_;
};

}  // namespace sluice::admin
