#pragma once

#include <csignal>
#include <cstdio>
#include <initializer_list>

#include <sys/resource.h>

#include "absl/synchronization/mutex.h"

namespace sluice::bench {

// As the sluice binary does: without the search for deadlocks that Debian's Abseil is built with.
inline void AsShipped() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// CPU time of this process so far, of all its threads.
inline double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Blocks the signals that end a program; first thing in main, so that all threads inherit it.
inline sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Waits for one of them, then prints what the program has used.
inline void ServeUntilSignal(const sigset_t& signals) {
  std::printf("ready\n");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"cpu_seconds\": %.6f, \"max_rss_kb\": %ld}\n", CpuSeconds(), usage.ru_maxrss);
  std::fflush(stdout);
}

}  // namespace sluice::bench
