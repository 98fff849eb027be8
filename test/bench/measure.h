#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <initializer_list>

#include "absl/synchronization/mutex.h"

namespace sluice::bench {

// As the sluice binary does: without the search for deadlocks that Debian's Abseil is built with.
inline void AsShipped() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// CPU time of a process so far, of all its threads; of this one: 0. Not known: 0.
inline double CpuSeconds(pid_t process = 0) {
  clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
  if (process != 0 && clock_getcpuclockid(process, &clock) != 0) return 0;
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// What a load took, from its first message to its last.
struct Measured {
  double seconds = 0;
  double server_cpu_seconds = 0;  // of the server's process, meanwhile
  uint64_t messages = 0;          // that came in that time
};

// Begins with the first message, ends with the last. `server`: whose CPU time is read; 0: nobody's.
class Stopwatch {
 public:
  explicit Stopwatch(pid_t server = 0) : server_(server) {}

  void Start() {
    cpu_ = Cpu();
    start_ = Clock::now();
  }
  Measured Stop(uint64_t messages) const {
    return {std::chrono::duration<double>(Clock::now() - start_).count(), Cpu() - cpu_, messages};
  }

 private:
  using Clock = std::chrono::steady_clock;
  double Cpu() const { return server_ == 0 ? 0 : CpuSeconds(server_); }

  const pid_t server_;
  double cpu_ = 0;
  Clock::time_point start_;
};

inline void Print(const Measured& measured) {
  std::printf("{\"messages\": %lu, \"seconds\": %.6f, \"server_cpu_seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
              measured.messages, measured.seconds, measured.server_cpu_seconds, CpuSeconds());
  std::fflush(stdout);
}

inline void SayReady() {
  std::printf("ready\n");
  std::fflush(stdout);
}

// Blocks the signals that end a program; first thing in main, so that all threads inherit it.
inline sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

inline void AwaitSignal(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
}

// Waits for one of them, then prints what the program has used.
inline void ServeUntilSignal(const sigset_t& signals) {
  SayReady();
  AwaitSignal(signals);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"cpu_seconds\": %.6f, \"max_rss_kb\": %ld}\n", CpuSeconds(), usage.ru_maxrss);
  std::fflush(stdout);
}

}  // namespace sluice::bench
