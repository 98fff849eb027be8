#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "app/dev/child.h"
#include "app/dev/workspace.h"

namespace sluice::dev {

// Where a nats-server is installed: $SLUICE_NATS_SERVER, else in $PATH, /usr/sbin or /usr/local/bin. NOT_FOUND says
// what to do.
absl::StatusOr<std::string> FindNatsServer();

// A nats-server with JetStream on a port of its own choice, which only this machine can reach.
struct NatsServer {
  std::unique_ptr<Child> process;
  std::string url;
};
absl::StatusOr<NatsServer> StartNatsServer(const std::string& program, const Workspace& workspace);

}  // namespace sluice::dev
