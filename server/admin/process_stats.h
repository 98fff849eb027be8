#pragma once

namespace sluice::admin {

// This process, as Linux sees it. What cannot be read is 0.
struct ProcessStats {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // Unix time
  double resident_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
};

ProcessStats ReadProcessStats();

}  // namespace sluice::admin
