#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sluice::test {

// The nats-servers to test against: those of SLUICE_NATS_SERVERS (paths, colons between), else the one on PATH, if any.
std::vector<std::string> NatsServerBinaries();
// "2.10.27"; "unknown" if it does not say.
std::string NatsServerVersion(const std::string& binary);

// A port of 127.0.0.1 that was free a moment ago; never the same one twice.
int FreePort();

// A nats-server of a test's own, on 127.0.0.1, with JetStream stored in a temporary folder. Ends with the test's
// process, whatever becomes of that.
class NatsServer {
 public:
  struct Options {
    std::string binary{};
    std::string config{};  // more of nats-server's configuration
    int port = 0;          // 0: any free one
    std::string name = "n1";
    bool await_greeting = true;  // false: nodes of a cluster may start together
  };

  // Returns when it greets. Tries other ports if one is taken meanwhile.
  static absl::StatusOr<std::unique_ptr<NatsServer>> Start(Options options);
  ~NatsServer();

  int port() const { return port_; }
  std::string url() const;
  const std::string& dir() const { return dir_; }  // for what the test wants to lie beside
  std::string log() const;

  void Stop();              // SIGTERM, and waits for the end
  void Kill();              // SIGKILL, and waits for the end
  void Pause(bool paused);  // SIGSTOP, and waits until it has stopped; SIGCONT
  // With another configuration, as `nats-server --signal reload`; returns when it says so. Whom it admits no more, it
  // disconnects.
  absl::Status Reload(const std::string& config);
  absl::Status Restart();  // on the same port and store; returns when it greets
  absl::Status AwaitGreeting();

 private:
  NatsServer(Options options, std::string dir) : options_(std::move(options)), dir_(std::move(dir)) {}

  std::string WriteConfig() const;
  absl::Status Spawn();
  void End(int signal);

  Options options_;
  const std::string dir_;
  int port_ = 0;
  pid_t pid_ = -1;
};

// Three nodes with one JetStream among them.
class NatsCluster {
 public:
  static absl::StatusOr<std::unique_ptr<NatsCluster>> Start(const std::string& binary);

  NatsServer& node(size_t i) { return *nodes_[i]; }
  size_t size() const { return nodes_.size(); }
  // The node that calls itself `name` ("n1", ...).
  NatsServer& node(const std::string& name);

 private:
  std::vector<std::unique_ptr<NatsServer>> nodes_;
};

}  // namespace sluice::test
