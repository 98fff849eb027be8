#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/event_loop.h"

namespace sluice::admin {

// Notices from within that the process lives and does nothing: that its event loop is stuck, or that its gRPC listener
// is dead. gRPC stops listening for good after one accept() that failed for want of a file descriptor, while all
// streams go on. A restart heals both, so that this is what liveness asks, and nothing else is.
//
// A thread of its own asks in rounds. Only kRounds bad ones in a row count: a pause of the whole process, such as a
// SIGSTOP or a machine put to sleep, spoils one.
class Watchdog {
 public:
  static constexpr int kRounds = 3;

  using Dial = std::function<absl::Status(absl::Duration patience)>;

  // Complains of what is silent for `patience`. `dial`, `cancel_dial`: see Facts.
  Watchdog(base::EventLoop* loop, Dial dial, std::function<void()> cancel_dial, absl::Duration patience);
  ~Watchdog();  // returns soon, with the loop stuck as well
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Any thread, at once. An error says what is stuck, and for how long.
  absl::Status Check() const;
  // How long the loop took to answer when it was last asked.
  absl::Duration loop_lag() const { return absl::Nanoseconds(loop_lag_ns_.load(std::memory_order_relaxed)); }

 private:
  struct Shared;
  // What is asked over and over: how often in a row it did not answer, and since when.
  struct Subject {
    int misses = 0;
    absl::Time since;
  };

  void Run();
  bool LoopAnswers();
  void Note(Subject* subject, const absl::Status& answer);

  base::EventLoop* const loop_;
  const Dial dial_;
  const std::function<void()> cancel_dial_;
  const absl::Duration round_;
  const std::shared_ptr<Shared> shared_;  // with tasks of the loop, which may run late

  Subject loop_subject_;      // the thread's
  Subject listener_subject_;  // the thread's
  uint64_t asked_ = 0;        // the thread's

  std::atomic<int64_t> loop_lag_ns_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace sluice::admin
