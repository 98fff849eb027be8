#include "app/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace sluice::app {
namespace {

// Of this process's session.
bool HasTerminal() {
  const int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

}  // namespace

Signals::Signals() : had_terminal_(HasTerminal()), waiter_(pthread_self()) {
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set_);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, kWoken}) sigaddset(&set_, number);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

int Signals::Wait(absl::Duration patience) {
  siginfo_t info{};
  const timespec limit = absl::ToTimespec(patience);
  int number = -1;
  do {
    number = patience == absl::InfiniteDuration() ? sigwaitinfo(&set_, &info) : sigtimedwait(&set_, &info, &limit);
  } while (number < 0 && errno == EINTR);
  if (number < 0) return kNothing;
  return number == SIGHUP && !IsHangup(info) ? kReload : number;
}

bool Signals::IsHangup(const siginfo_t& info) const {
  return info.si_code == SI_KERNEL || (had_terminal_ && !HasTerminal());
}

void Signals::Wake() { pthread_kill(waiter_, kWoken); }

}  // namespace sluice::app
