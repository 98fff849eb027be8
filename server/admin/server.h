#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/facts.h"
#include "admin/handler.h"
#include "admin/http_server.h"
#include "admin/snapshot.h"
#include "admin/watchdog.h"
#include "base/event_loop.h"
#include "core/daemon.h"

namespace sluice::admin {

struct ServerOptions {
  std::string listen{};  // host:port, port 0: any free one
  Readiness readiness = Readiness::kNats;
  bool quit = false;                                    // POST /quitquitquit is obeyed
  absl::Duration liveness_timeout = absl::Seconds(15);  // of silence, before /livez fails
};

// Probes and metrics over HTTP, and the watchdog behind liveness. HTTP's threads ask the loop by posting, and read
// nothing else of it.
//
// Owned by main. Loop, daemon and facts outlive it.
class Server {
 public:
  // Listens when it returns, and says of everything that it has not started yet.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, const Facts& facts,
                                                       base::EventLoop* loop, const core::Daemon* daemon);
  // Apps can connect, and the loop runs: /startupz turns 200, and the watchdog begins. Once.
  void SetStarted();

  int port() const { return http_->port(); }

 private:
  Server(const ServerOptions& options, const Facts& facts, base::EventLoop* loop, const core::Daemon* daemon);

  base::EventLoop* const loop_;
  const Facts facts_;
  const absl::Duration liveness_timeout_;
  const LoopView view_;
  std::atomic<bool> started_{false};  // with it, watchdog_ is there
  std::unique_ptr<Watchdog> watchdog_;
  const Handler handler_;
  std::unique_ptr<HttpServer> http_;  // last: it calls into the others
};

}  // namespace sluice::admin
