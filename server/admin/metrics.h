#pragma once

#include <string>
#include <vector>

#include "admin/facts.h"
#include "admin/snapshot.h"
#include "prometheus/metric_family.h"

namespace sluice::admin {

// Everything that /metrics shows, of one moment.
struct Measured {
  std::string version;
  Snapshot loop;
  ReloadFacts reload;
  bool alive = true;  // the watchdog's word
  absl::Duration loop_lag;
};

// As Prometheus has them, in the order of docs/metrics.md.
std::vector<prometheus::MetricFamily> Collect(const Measured& measured);

// The text format of Prometheus, 0.0.4.
std::string Serialize(const std::vector<prometheus::MetricFamily>& families);

// docs/metrics.md, which a test compares with this.
std::string MetricsPage();

}  // namespace sluice::admin
