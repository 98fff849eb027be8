#include "admin/watchdog.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/log.h"

namespace sluice::admin {

struct Watchdog::Shared {
  absl::Mutex mutex;
  absl::Status verdict ABSL_GUARDED_BY(mutex);
  absl::Time bad_since ABSL_GUARDED_BY(mutex);
  uint64_t answered ABSL_GUARDED_BY(mutex) = 0;  // the last question that the loop has answered
  bool ending ABSL_GUARDED_BY(mutex) = false;
};

Watchdog::Watchdog(base::EventLoop* loop, Dial dial, std::function<void()> cancel_dial, absl::Duration patience)
    : loop_(loop),
      dial_(std::move(dial)),
      cancel_dial_(std::move(cancel_dial)),
      round_(patience / kRounds),
      shared_(std::make_shared<Shared>()),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->ending = true;
  }
  cancel_dial_();
  thread_.join();
}

absl::Status Watchdog::Check() const {
  absl::MutexLock lock(&shared_->mutex);
  if (shared_->verdict.ok()) return absl::OkStatus();
  const absl::Duration silent = absl::Trunc(absl::Now() - shared_->bad_since, absl::Milliseconds(100));
  return absl::Status(shared_->verdict.code(),
                      absl::StrCat(shared_->verdict.message(), ", for ", absl::FormatDuration(silent)));
}

void Watchdog::Run() {
  bool ending = false;
  while (!ending) {
    const absl::Time next = absl::Now() + round_;
    const bool answers = LoopAnswers();
    Note(&loop_subject_, answers ? absl::OkStatus() : absl::DeadlineExceededError("the event loop does not answer"));
    if (answers) {  // a call needs the loop
      const absl::Status called = dial_(round_);
      Note(&listener_subject_,
           called.ok() ? called : absl::UnavailableError(absl::StrCat("gRPC does not answer: ", called.message())));
    }
    absl::MutexLock lock(&shared_->mutex);
    ending = shared_->mutex.AwaitWithDeadline(absl::Condition(&shared_->ending), next);
  }
}

bool Watchdog::LoopAnswers() {
  const uint64_t question = ++asked_;
  const absl::Time asked = absl::Now();
  loop_->Post([shared = shared_, question] {
    absl::MutexLock lock(&shared->mutex);
    shared->answered = question;
  });
  const auto done = [this, question]()
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return shared_->answered == question || shared_->ending; };
  absl::MutexLock lock(&shared_->mutex);
  const bool in_time = shared_->mutex.AwaitWithTimeout(absl::Condition(&done), round_);
  loop_lag_ns_.store(absl::ToInt64Nanoseconds(absl::Now() - asked), std::memory_order_relaxed);
  return in_time;
}

void Watchdog::Note(Subject* subject, const absl::Status& answer) {
  const bool was_dead = subject->misses >= kRounds;
  if (answer.ok()) {
    *subject = Subject();
    if (!was_dead) return;
    base::LogInfo("alive again");
  } else {
    if (subject->misses++ == 0) subject->since = absl::Now() - round_;
    if (subject->misses < kRounds) return;
    if (!was_dead) base::LogError("not alive: /livez asks for a restart", {{"err", answer.message()}});
  }
  absl::MutexLock lock(&shared_->mutex);
  shared_->verdict = answer;
  shared_->bad_since = subject->since;
}

}  // namespace sluice::admin
