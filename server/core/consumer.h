#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/consumer_options.h"
#include "core/counters.h"
#include "core/drain_report.h"
#include "core/message_source.h"
#include "core/session.h"

namespace sluice::core {

// One durable: what comes from JetStream (Intake), who gets it (Session), what became of it (Outbox), and its drain.
// Shares nothing with other consumers. Loop only.
class Consumer {
 public:
  // Of this moment.
  struct Gauges {
    uint64_t streams = 0;      // open app streams
    uint64_t in_flight = 0;    // messages with apps
    uint64_t buffered = 0;     // received, not given to an app yet
    uint64_t num_pending = 0;  // as of the last delivery
  };

  const ConsumerOptions& options() const;
  ConsumerState state() const;
  const std::string& state_detail() const;
  DrainPhase phase() const;
  const Counters& counters() const;
  Gauges gauges() const;
};

}  // namespace sluice::core
