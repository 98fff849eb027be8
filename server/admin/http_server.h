#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "admin/handler.h"

namespace sluice::admin {

// HTTP/1.1 over civetweb: parses, calls, writes. A few threads of its own, so that a slow client holds up no probe.
class HttpServer {
 public:
  using Handle = std::function<Response(const Request& request)>;

  // Listens at `address` (host:port; port 0: any free one) when it returns. `handle` is called on several threads at
  // once. Errors are for whoever configured it.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, Handle handle);
  // When it returns, `handle` is not called any more. civetweb takes up to 2 s to give its port back; a thread of its
  // own waits for that, as the end of the process must not.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  struct Gate;

  HttpServer() = default;

  std::shared_ptr<Gate> gate_;
  int port_ = 0;
};

}  // namespace sluice::admin
