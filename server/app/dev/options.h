#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace sluice::dev {

// What `sluice dev` was asked to show.
struct Options {
  std::string nats_url;  // empty: a nats-server of its own
  uint64_t rate = 2000;  // messages per second; 0: as fast as they are acked
  size_t size = 128;     // bytes of payload
  absl::Duration run_for = absl::InfiniteDuration();
  absl::Duration restart_every = absl::InfiniteDuration();
  absl::Duration work = absl::Milliseconds(1);  // of the app, on each message
  int concurrency = 16;                         // messages the app works on at once
  bool keep = false;                            // the temporary folder
  bool json = false;
};

}  // namespace sluice::dev
