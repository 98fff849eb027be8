#include "admin/server.h"

#include <utility>

namespace sluice::admin {

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, const Facts& facts,
                                                      base::EventLoop* loop, const core::Daemon* daemon) {
  std::unique_ptr<Server> server(new Server(options, facts, loop, daemon));
  auto http = HttpServer::Start(
      options.listen, [handler = &server->handler_](const Request& request) { return handler->Handle(request); });
  if (!http.ok()) return http.status();
  server->http_ = *std::move(http);
  return server;
}

Server::Server(const ServerOptions& options, const Facts& facts, base::EventLoop* loop, const core::Daemon* daemon)
    : loop_(loop),
      facts_(facts),
      liveness_timeout_(options.liveness_timeout),
      view_(loop, daemon, facts.nats),
      handler_({options.readiness, options.quit}, facts,
               {.started = [this] { return started_.load(); },
                .alive = [this] { return started_.load() ? watchdog_->Check() : absl::OkStatus(); },
                .loop_lag = [this] { return started_.load() ? watchdog_->loop_lag() : absl::ZeroDuration(); },
                .loop = [this](absl::Duration patience) { return view_.Take(patience); }}) {}

void Server::SetStarted() {
  watchdog_ = std::make_unique<Watchdog>(loop_, facts_.dial, facts_.cancel_dial, liveness_timeout_);
  started_ = true;
}

}  // namespace sluice::admin
