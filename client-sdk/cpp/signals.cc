#include <semaphore.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <vector>

#include "client-sdk/cpp/session.h"
#include "sluice/run.h"

namespace sluice {
namespace {

// What the signal handler can reach. Never destroyed: a late signal may still post.
sem_t wake_up;
std::atomic<bool> signalled{false};

void OnSignal(int) {
  const int saved = errno;
  signalled = true;
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

// Waits for a signal, or until the daemon has refused one of them, or all have ended.
void AwaitEnd(const std::vector<std::reference_wrapper<Consumption>>& consumptions) {
  [[maybe_unused]] static const int made = sem_init(&wake_up, 0, 0);
  const Caught interrupt(SIGINT);
  for (const Consumption& one : consumptions) one.session().NotifyClosed([] { sem_post(&wake_up); });
  const auto closed = [](const Consumption& one) { return one.is_closed(); };
  const auto refused = [](Consumption& one) { return one.is_closed() && !one.Closed().ok(); };
  while (!signalled && !std::all_of(consumptions.begin(), consumptions.end(), closed) &&
         !std::any_of(consumptions.begin(), consumptions.end(), refused)) {
    while (sem_wait(&wake_up) != 0 && errno == EINTR) continue;
  }
}

}  // namespace

std::vector<DrainReport> RunUntilSignal(const std::vector<std::reference_wrapper<Consumption>>& consumptions,
                                        std::optional<std::chrono::milliseconds> drain_timeout) {
  signalled = false;
  const Caught term(SIGTERM);
  AwaitEnd(consumptions);
  std::vector<DrainReport> reports;
  reports.reserve(consumptions.size());
  for (Consumption& one : consumptions) one.StartDrain(drain_timeout);
  for (Consumption& one : consumptions) reports.push_back(one.Drain(drain_timeout));
  return reports;
}

DrainReport RunUntilSignal(Consumption& consumption, std::optional<std::chrono::milliseconds> drain_timeout) {
  return RunUntilSignal(std::vector{std::ref(consumption)}, drain_timeout).front();
}

}  // namespace sluice
