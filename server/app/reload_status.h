#pragma once

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "admin/facts.h"

namespace sluice::app {

// What became of the configuration since the start: noted by main and the loop, shown by admin. Thread-safe.
class ReloadStatus {
 public:
  // The start counts as a success.
  explicit ReloadStatus(absl::Time now) { facts_.last_success = now; }

  void Succeeded(absl::Time now) {
    absl::MutexLock lock(&mutex_);
    facts_ = {true, "", now, facts_.reloads + 1};
  }
  void Failed(std::string problem) {
    absl::MutexLock lock(&mutex_);
    facts_.successful = false;
    facts_.problem = std::move(problem);
  }
  admin::ReloadFacts Get() const {
    absl::MutexLock lock(&mutex_);
    return facts_;
  }

 private:
  mutable absl::Mutex mutex_;
  admin::ReloadFacts facts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sluice::app
