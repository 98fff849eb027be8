#pragma once

#include <pthread.h>
#include <signal.h>

#include "absl/time/time.h"

namespace sluice::app {

// The signals that end the process, or make it read its configuration anew, taken one by one by the thread that makes
// this. Make it before there is any other
// thread: they inherit that these signals are blocked. Writes to a closed pipe or socket fail instead of killing the
// process.
class Signals {
 public:
  static constexpr int kWoken = SIGUSR1;

  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  static constexpr int kReload = -1;
  static constexpr int kNothing = 0;

  // Waits for SIGTERM, SIGINT, SIGHUP, kReload or kWoken, and returns which; kNothing if none comes within `patience`.
  // The making thread.
  //
  // Two wishes come as the signal SIGHUP. The kernel sends it when a terminal is closed, and shells pass that on to
  // what they have started; then the process has no terminal any more: SIGHUP. Else somebody asks for a reload:
  // kReload.
  int Wait(absl::Duration patience = absl::InfiniteDuration());
  // Any thread: makes Wait() return kWoken.
  void Wake();
  // Any thread: makes Wait() return SIGTERM.
  void Terminate() { pthread_kill(waiter_, SIGTERM); }  // NOLINT(bugprone-bad-signal-to-kill-thread): it is waited for

 private:
  bool IsHangup(const siginfo_t& info) const;

  const bool had_terminal_;
  sigset_t set_;
  const pthread_t waiter_;
};

}  // namespace sluice::app
