#pragma once

#include "absl/time/time.h"

namespace sluice::dev {

// What the terminal's process waits for. From its making on, the signals that end it, and the deaths of children, are
// told here and nowhere else: made before the first other thread, which inherits that. Not thread-safe.
class Events {
 public:
  Events();
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // Waits for a signal, or for something to read from `fd` (-1: none), at most until `deadline`.
  void Wait(int fd, absl::Time deadline);

  // How many times it was told to end: SIGINT, SIGTERM, SIGHUP.
  int stops() const { return stops_; }

 private:
  const int signals_;  // a signalfd
  int stops_ = 0;
};

}  // namespace sluice::dev
