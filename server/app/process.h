#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "admin/server.h"
#include "app/reload_status.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "config/config.h"
#include "core/daemon.h"
#include "jetstream/connection.h"
#include "rpc/nats_status.h"
#include "rpc/self_call.h"
#include "rpc/server.h"
#include "token/codec.h"
#include "token/key_file.h"
#include "token/serving_mark.h"

namespace sluice::app {

// The daemon's parts, wired: NATS at one end, gRPC at the other, core between them on a loop of its own. Owned and used
// by main's thread.
class Process {
 public:
  // Called on the loop: post, and return.
  using DrainedCallback = core::Daemon::DrainedCallback;

  // `quit` makes main call Terminate(), as SIGTERM does; any thread. `reloads` is shown to operators, and outlives it.
  Process(config::Config config, std::function<void()> quit, const ReloadStatus* reloads)
      : config_(std::move(config)), quit_(std::move(quit)), reloads_(reloads) {}
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Serves when it returns, with or without NATS. Errors are the configuration's: they say what is wrong and what to
  // do.
  absl::Status Start();

  // Starts the drain if it does not run; `drained` once it is over. Once.
  void Terminate(DrainedCallback drained);

  // Moves to a connection to NATS with this login, see jetstream::Connection::Replace(); `news` as there, on the loop.
  // A daemon that drains stays with what it has, unless that is down.
  void LogIn(const config::Nats& nats, jetstream::Connection::ReplaceCallback news);

  // Ends the gRPC side, then the NATS side. After the drain; takes a few seconds at most. An error: what was sent last
  // may not have reached NATS.
  absl::Status Close();

  // "orders: 3 with apps, 5 buffered" for each consumer that still has messages; for who cannot wait. Empty: none has,
  // or the loop does not answer within a second.
  std::string Leftovers();

 private:
  absl::Status StartAdmin();
  absl::Status MakeTokens();
  absl::Status Connect();
  void AddConsumers();
  rpc::NatsStatus NatsStatus() const;  // loop
  // Runs it on the loop, and waits for it; false if that takes longer than `patience`.
  bool RunOnLoop(absl::AnyInvocable<void()> task, absl::Duration patience);

  const config::Config config_;
  const std::function<void()> quit_;
  const ReloadStatus* const reloads_;
  const base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};
  std::unique_ptr<jetstream::Connection> connection_;  // outlives daemon_, whose sources use it; loop only once it runs
  std::unique_ptr<token::ServingMark> mark_;
  std::unique_ptr<token::SealedTokenCodec> tokens_;  // outlives daemon_
  std::unique_ptr<core::Daemon> daemon_;             // loop only once it runs
  std::thread thread_;                               // runs loop_
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<rpc::SelfCall> self_call_;  // outlives admin_
  std::unique_ptr<admin::Server> admin_;      // null: none is configured
};

}  // namespace sluice::app
