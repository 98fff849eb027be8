#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "core/daemon.h"
#include "grpcpp/server.h"
#include "rpc/admin_service.h"
#include "rpc/consumer_service.h"
#include "rpc/health_service.h"
#include "rpc/loop_queue.h"
#include "rpc/nats_status.h"
#include "rpc/unix_socket.h"

namespace sluice::rpc {

struct ServerOptions {
  std::string unix_socket;  // path; empty: none
  std::string tcp;          // host:port, port 0: any free one; empty: none
  bool reflection = false;
  std::string version;                      // of the daemon, as in "0.1.0"
  absl::Duration drain_timeout;             // of a drain that names none
  std::function<NatsStatus()> nats_status;  // called on the loop
};

// The gRPC side of the daemon: ConsumerService, AdminService, grpc.health.v1 and, if asked for, reflection, on a Unix
// socket and/or a TCP port. All on the loop, which waits in gRPC's poller, see LoopQueue.
//
// Owned by main and used by it alone. Loop and daemon outlive it, and the loop runs until Shutdown() has returned.
class Server {
 public:
  // A request may not be larger: the stream of one that is ends with RESOURCE_EXHAUSTED. A resume of 2^20 messages, the
  // largest request that makes sense, fits. Responses have no limit, as the server's maximum payload must pass.
  static constexpr int kMaxRequestBytes = 16 << 20;

  // Listens when it returns. Nothing else may create files meanwhile, as it sets the umask for the socket's mode, 0660.
  // Errors are for whoever configured it: what is wrong and what to do.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options, base::EventLoop* loop,
                                                       core::Daemon* daemon);

  // Shuts down, if that was not done.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What grpc.health.v1 says of "" and of "sluice.v1.ConsumerService": at first, not serving. Any thread, before
  // Shutdown().
  void SetServing(bool serving);

  // Ends all calls, with UNAVAILABLE those that are still open, and closes the addresses. Takes about a second at most,
  // for apps that do not read. Not on the loop.
  void Shutdown();

  // The port of `tcp`; 0 without.
  int tcp_port() const { return tcp_port_; }
  // Where clients on this machine reach it, as gRPC spells it. Before Shutdown().
  std::vector<std::string> addresses() const;

 private:
  Server(ServerOptions options, base::EventLoop* loop, core::Daemon* daemon);

  absl::Status Listen();
  void EndCalls();
  void AwaitLoop();

  const ServerOptions options_;
  base::EventLoop* const loop_;
  CallShared shared_;
  ConsumerService consumer_service_;
  AdminService admin_service_;
  HealthService health_service_;

  std::unique_ptr<UnixSocket> unix_socket_;  // outlives server_: the path is ours while it listens
  std::unique_ptr<LoopQueue> queue_;         // outlives server_
  std::unique_ptr<grpc::Server> server_;     // null before Listen() and after Shutdown()
  int tcp_port_ = 0;
};

}  // namespace sluice::rpc
