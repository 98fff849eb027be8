#include "app/dev/events.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "base/check.h"

namespace sluice::dev {
namespace {

sigset_t Awaited() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, signal);
  return signals;
}

int Block() {
  const sigset_t signals = Awaited();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a reader of the output that goes away is noticed when writing
  const int fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  SLUICE_CHECK(fd >= 0, "a process may have a signalfd");
  return fd;
}

}  // namespace

Events::Events() : signals_(Block()) {}

Events::~Events() { close(signals_); }

void Events::Wait(int fd, absl::Time deadline) {
  pollfd fds[] = {{signals_, POLLIN, 0}, {fd, POLLIN, 0}};
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
  poll(fds, 2, static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000)));
  signalfd_siginfo info;
  while (read(signals_, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo != SIGCHLD) ++stops_;
  }
}

}  // namespace sluice::dev
