#include <semaphore.h>
#include <signal.h>

#include <cerrno>

#include "client-sdk/cpp/session.h"
#include "sluice/consumption.h"

namespace sluice {
namespace {

// What the signal handler can reach. Never destroyed: a late signal may still post.
sem_t wake_up;

void OnSignal(int) {
  const int saved = errno;
  sem_post(&wake_up);
  errno = saved;
}

// Catches a signal for its lifetime. A handler, not sigwait(): the client's threads run already, and would have to have
// it blocked.
class Caught {
 public:
  explicit Caught(int signal) : signal_(signal) {
    struct sigaction action = {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &before_);
  }
  Caught(const Caught&) = delete;
  ~Caught() { sigaction(signal_, &before_, nullptr); }

 private:
  const int signal_;
  struct sigaction before_;
};

}  // namespace

DrainReport RunUntilSignal(Consumption& consumption, std::optional<std::chrono::milliseconds> drain_timeout) {
  [[maybe_unused]] static const int made = sem_init(&wake_up, 0, 0);
  while (sem_trywait(&wake_up) == 0) continue;  // what woke an earlier call, once too often
  const Caught term(SIGTERM);
  {
    const Caught interrupt(SIGINT);
    consumption.session().NotifyClosed([] { sem_post(&wake_up); });
    while (sem_wait(&wake_up) != 0 && errno == EINTR) continue;
  }
  return consumption.Drain(drain_timeout);
}

}  // namespace sluice
