#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/consumer_options.h"
#include "core/daemon.h"
#include "test/sim/sim_stream.h"
#include "test/support/model_source.h"

namespace sluice::test {

// A place where one daemon runs after the other, each the real core. Loop only.
class SimPod {
 public:
  SimPod(const SimContext& context, int slot, const core::ConsumerOptions& options,
         ModelSource::Options source_options);
  SimPod(const SimPod&) = delete;
  SimPod& operator=(const SimPod&) = delete;

  // The next daemon.
  void Start();
  // SIGKILL: everything in it is lost.
  void Kill();
  // `sluice drain`.
  void Drain(absl::Duration timeout);
  // SIGTERM; when the drain is over the process ends, and its successor starts a while later.
  void Terminate(absl::Duration timeout);
  // SIGSTOP, and SIGCONT after a while.
  void Stall(absl::Duration duration);
  void Continue();
  // Runs it now, or once the process goes on.
  void WhenRunning(absl::AnyInvocable<void()> action);
  // The connection to NATS breaks for a while.
  void Disconnect(absl::Duration down, absl::Duration unnoticed);

  absl::StatusOr<core::Session*> Open(const core::OpenRequest& request, const std::shared_ptr<SimStream>& stream);

  // Fetch and Settle; the pod runs.
  core::UnaryAccess& unary() { return daemon_->consumers().front()->unary(); }

  bool running() const { return daemon_ != nullptr; }
  bool stalled() const { return process_.stopped(); }
  bool serving() const { return running() && daemon_->phase() == core::Daemon::Phase::kServing; }
  bool drained() const { return running() && daemon_->phase() == core::Daemon::Phase::kDrained; }
  const core::Daemon& daemon() const { return *daemon_; }
  int number() const { return number_; }
  const core::ConsumerOptions& options() const { return options_; }

 private:
  void OnDrainBegins(absl::Time deadline);
  void Stop(bool killed);

  const SimContext context_;
  const int slot_;
  core::ConsumerOptions options_;
  ModelSource::Options source_options_;
  SimProcess process_;
  std::vector<absl::AnyInvocable<void()>> when_running_;
  int starts_ = 0;
  int number_ = 0;                        // of the running daemon
  std::unique_ptr<BookTokens> tokens_;    // outlives daemon_
  std::unique_ptr<core::Daemon> daemon_;  // null: none runs
  ModelSource* source_ = nullptr;         // the daemon's
  std::vector<std::weak_ptr<SimStream>> streams_;
};

}  // namespace sluice::test
