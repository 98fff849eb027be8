#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grpc {
class ClientContext;
}

namespace sluice::rpc {

// Calls the daemon as an app would: a new connection, a call, its answer, which takes the listener, gRPC and
// the loop. For the watchdog: from within, nothing tells that the listener is dead.
class SelfCall {
 public:
  // `addresses` as gRPC spells them; see Server::addresses().
  explicit SelfCall(std::vector<std::string> addresses) : addresses_(std::move(addresses)) {}

  // Blocks for `patience` at most, for each address; the first one that fails is the error. One thread at a time.
  absl::Status Try(absl::Duration patience);
  // Any thread: Try() returns soon, CANCELLED, and so does every later one.
  void Cancel();

 private:
  absl::Status Call(const std::string& address, absl::Duration patience);

  const std::vector<std::string> addresses_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the call that runs
};

}  // namespace sluice::rpc
