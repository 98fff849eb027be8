#include "app/dev/demo_app.h"

#include <signal.h>
#include <time.h>

#include <cstdio>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "app/dev/app_news.h"
#include "app/dev/number_set.h"
#include "app/dev/payload.h"
#include "sluice/client.h"

namespace sluice::dev {
namespace {

constexpr absl::Duration kTell = absl::Milliseconds(50);
constexpr int kStopped = 0;
constexpr int kRefused = 1;

void Tell(const AppNews& news) {
  static absl::Mutex mutex(absl::kConstInit);
  const std::string line = ToLine(news) + "\n";
  absl::MutexLock lock(&mutex);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

// What the handlers have seen. Thread-safe.
class Tally {
 public:
  void OnMessage(const Message& message) {
    const std::optional<uint64_t> number = NumberOf({message.data().data(), message.data().size()});
    absl::MutexLock lock(&mutex_);
    if (message.num_delivered() > 1) ++counts_.redelivered;
    const auto inserted = number ? handled_.Insert(*number) : NumberSet::Inserted::kTooFar;
    if (inserted == NumberSet::Inserted::kKnown) ++counts_.duplicates;
    if (inserted == NumberSet::Inserted::kTooFar) ++counts_.foreign;
    counts_.handled = handled_.size();
  }

  AppCounts Counts(const Stats& stats) const {
    absl::MutexLock lock(&mutex_);
    AppCounts counts = counts_;
    counts.delivered = stats.received;
    counts.acked = stats.acked;
    counts.in_flight = stats.in_flight;
    return counts;
  }

 private:
  mutable absl::Mutex mutex_;
  NumberSet handled_ ABSL_GUARDED_BY(mutex_);
  AppCounts counts_ ABSL_GUARDED_BY(mutex_);
};

ConsumeOptions MakeConsumeOptions(const AppOptions& options) {
  return {.concurrency = options.concurrency,
          .on_state =
              [](State state, const std::string& detail) {
                Tell(AppState{ToString(state), detail});
              },
          .on_draining =
              [](const Draining&) {
                Tell(AppState{"draining", ""});
              },
          .on_drained = [](const DrainReport& report) { Tell(report); },
          .on_error = [](const grpc::Status& status) { Tell(AppError{status.error_message()}); }};
}

// Waits for SIGTERM, at most as long as `timeout`.
bool AwaitSignal(const sigset_t& signals, absl::Duration timeout) {
  const timespec wait = absl::ToTimespec(timeout);
  return sigtimedwait(&signals, nullptr, &wait) == SIGTERM;
}

}  // namespace

int RunApp(const AppOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // before the client's threads, which inherit it

  Tally tally;
  // The next daemon of a restart is there within milliseconds.
  Client client({.address = options.address, .longest_retry = std::chrono::milliseconds(200), .log = nullptr});
  Consumption consumption = client.Consume(options.consumer, MakeConsumeOptions(options), [&](Message& message) {
    absl::SleepFor(options.work);
    tally.OnMessage(message);
    return Ack();
  });
  while (!consumption.is_closed() && !AwaitSignal(signals, kTell)) Tell(tally.Counts(consumption.stats()));
  const bool refused = consumption.is_closed();
  consumption.Stop();
  Tell(tally.Counts(consumption.stats()));
  return refused ? kRefused : kStopped;
}

}  // namespace sluice::dev
