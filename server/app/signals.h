#pragma once

#include <pthread.h>
#include <signal.h>

namespace sluice::app {

// The signals that end the process, taken one by one by the thread that makes this. Make it before there is any other
// thread: they inherit that these signals are blocked. Writes to a closed pipe or socket fail instead of killing the
// process.
class Signals {
 public:
  static constexpr int kWoken = SIGUSR1;

  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for SIGTERM, SIGINT, SIGHUP (its terminal was closed) or kWoken, and returns which. The making thread.
  int Wait();
  // Any thread: makes Wait() return kWoken.
  void Wake();

 private:
  sigset_t set_;
  const pthread_t waiter_;
};

}  // namespace sluice::app
