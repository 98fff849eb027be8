#include "app/signals.h"

#include <initializer_list>

namespace sluice::app {

Signals::Signals() : waiter_(pthread_self()) {
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set_);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, kWoken}) sigaddset(&set_, number);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

int Signals::Wait() {
  int number = 0;
  while (sigwait(&set_, &number) != 0) continue;
  return number;
}

void Signals::Wake() { pthread_kill(waiter_, kWoken); }

}  // namespace sluice::app
