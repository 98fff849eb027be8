#include <semaphore.h>
#include <signal.h>

#include <cerrno>
#include <memory>

#include "client-sdk/cpp/session.h"
#include "sluice/consumption.h"

namespace sluice {
namespace {

// What the signal handler can reach. Never destroyed: a late signal may still post.
sem_t* WakeUp() {
  static sem_t* const semaphore = [] {
    auto* made = new sem_t;
    sem_init(made, 0, 0);
    return made;
  }();
  return semaphore;
}

sem_t* woken = nullptr;  // set before the handler is installed

void OnSignal(int) {
  const int saved = errno;
  sem_post(woken);
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
  woken = WakeUp();
  while (sem_trywait(woken) == 0) continue;  // of an earlier call
  const Caught term(SIGTERM);
  {
    const Caught interrupt(SIGINT);
    consumption.session().NotifyClosed([] { sem_post(WakeUp()); });
    while (sem_wait(woken) != 0 && errno == EINTR) continue;
  }
  return consumption.Drain(drain_timeout);
}

}  // namespace sluice
