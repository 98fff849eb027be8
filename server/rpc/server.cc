#include "rpc/server.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "rpc/grpc_log.h"
#include "rpc/tcp_address.h"

namespace sluice::rpc {
namespace {

// For the streams to take their last word.
constexpr absl::Duration kStreamGrace = absl::Seconds(1);
// For calls that end by themselves; what is open then is reflection's, or of who does not read.
constexpr std::chrono::milliseconds kCallGrace{100};

// gRPC's reflection library puts itself into every server of the process that it is linked into; this decides for one.
class ReflectionOption final : public grpc::ServerBuilderOption {
 public:
  explicit ReflectionOption(bool enabled) : enabled_(enabled) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    auto wanted = std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>();
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(),
                                  [&](const auto& plugin) { return plugin->name() == wanted->name(); }),
                   plugins->end());
    if (enabled_) plugins->push_back(std::move(wanted));
  }

 private:
  const bool enabled_;
};

// The Unix socket's mode, from its first moment on.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : previous_(umask(mask)) {}
  ~ScopedUmask() { umask(previous_); }

 private:
  const mode_t previous_;
};

void SetLimits(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(Server::kMaxRequestBytes);
  builder->SetMaxSendMessageSize(-1);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else two daemons share a port, silently
  // Clients may ping as they like. The daemon does not ping: the kernel tells when a local app is gone, and an app
  // whose only thread is busy for long would lose its stream.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options, base::EventLoop* loop,
                                                      core::Daemon* daemon) {
  std::unique_ptr<Server> server(new Server(std::move(options), loop, daemon));
  if (absl::Status status = server->Listen(); !status.ok()) return status;
  return server;
}

Server::Server(ServerOptions options, base::EventLoop* loop, core::Daemon* daemon)
    : options_(std::move(options)),
      loop_(loop),
      shared_{.loop = loop, .daemon = daemon, .server = absl::StrCat("sluice/", options_.version)},
      consumer_service_(&shared_),
      admin_service_({options_.version, options_.drain_timeout, options_.nats_status}, &shared_),
      health_service_(&shared_) {}

Server::~Server() { Shutdown(); }

absl::Status Server::Listen() {
  if (options_.unix_socket.empty() && options_.tcp.empty()) {
    return absl::InvalidArgumentError("nothing to listen on; configure a Unix socket or a TCP address");
  }
  grpc::ServerBuilder builder;
  SetLimits(&builder);
  builder.SetOption(std::make_unique<ReflectionOption>(options_.reflection));
  builder.RegisterService(&consumer_service_);
  builder.RegisterService(&admin_service_);
  builder.RegisterService(&health_service_);

  int unix_bound = 0;
  if (!options_.unix_socket.empty()) {
    absl::StatusOr<std::unique_ptr<UnixSocket>> socket = UnixSocket::Claim(options_.unix_socket);
    if (!socket.ok()) return socket.status();
    unix_socket_ = *std::move(socket);
    builder.AddListeningPort(unix_socket_->address(), grpc::InsecureServerCredentials(), &unix_bound);
  }
  if (!options_.tcp.empty()) {
    if (absl::Status status = CheckTcpAddress(options_.tcp); !status.ok()) return status;
    builder.AddListeningPort(options_.tcp, grpc::InsecureServerCredentials(), &tcp_port_);
  }
  queue_ = std::make_unique<LoopQueue>(loop_, &builder);
  shared_.queue = queue_.get();

  DropGrpcLog();  // what it has to say is in the Status below
  {
    ScopedUmask umask(0117);
    server_ = builder.BuildAndStart();
  }
  if (server_ == nullptr) queue_ = nullptr;  // gRPC minds that its queue had no server
  SendGrpcLogToLog();
  if (server_ == nullptr) {
    if (unix_socket_ != nullptr && unix_bound == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options_.unix_socket, "; this user must be able to create a socket there"));
    }
    return ExplainTcpFailure(options_.tcp);
  }
  consumer_service_.Serve();
  admin_service_.Serve();
  health_service_.Serve();
  queue_->Start();
  return absl::OkStatus();
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> addresses;
  if (unix_socket_ != nullptr) addresses.push_back(unix_socket_->address());
  if (tcp_port_ > 0) addresses.push_back(DialAddress(options_.tcp, tcp_port_));
  return addresses;
}

void Server::SetServing(bool serving) {
  loop_->Post([this, serving] { health_service_.SetServing(serving); });
}

void Server::Shutdown() {
  if (server_ == nullptr) return;
  EndCalls();
  server_->Shutdown(std::chrono::system_clock::now() + kCallGrace);
  queue_->Stop();
  AwaitLoop();  // the last calls' tasks
  server_ = nullptr;
  unix_socket_ = nullptr;
}

void Server::EndCalls() {
  // Shared: apps that do not read make the wait end before the calls do.
  auto ended = std::make_shared<absl::Notification>();
  loop_->Post([this, ended] {
    shared_.calls.Close(absl::UnavailableError("the daemon ends; reconnect to its successor"),
                        [ended] { ended->Notify(); });
  });
  ended->WaitForNotificationWithTimeout(kStreamGrace);
}

void Server::AwaitLoop() {
  absl::Notification reached;
  loop_->Post([&reached] { reached.Notify(); });
  reached.WaitForNotification();
}

}  // namespace sluice::rpc
