#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "app/dev/app_news.h"

namespace sluice::dev {

// What is known when everything has stopped.
struct Evidence {
  uint64_t confirmed = 0;    // published, and stored as JetStream says
  uint64_t unconfirmed = 0;  // published, but no PubAck came
  AppCounts app;
  bool consumer_known = false;  // CONSUMER.INFO was answered:
  uint64_t num_pending = 0;
  uint64_t num_ack_pending = 0;
  bool drained = false;  // the daemon was drained, and told the app its report:
  DrainReport drain;
  absl::Duration drain_time;         // from SIGTERM to the end of the process
  std::vector<std::string> trouble;  // what went wrong on the way
};

// The account of a run: every number that was published is handled once, or waits in the stream.
struct Outcome {
  uint64_t published = 0;
  uint64_t acked = 0;
  uint64_t pending = 0;
  uint64_t redelivered = 0;
  uint64_t lost = 0;
  uint64_t duplicates = 0;
  int64_t drain_ms = 0;
  std::vector<std::string> faults{};  // for people; empty: nothing lost, nothing twice, the drain was clean

  bool clean() const { return faults.empty(); }
  // "sluice dev: published=N acked=N ...", which scripts read.
  std::string ToLine() const;
};

Outcome Judge(const Evidence& evidence);

}  // namespace sluice::dev
