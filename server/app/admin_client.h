#pragma once

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sluice/v1/admin.grpc.pb.h"

namespace sluice::app {

// Declares `--address`: $SLUICE_ADDRESS, else the default socket.
void AddAddressFlag(CLI::App* command, std::string& address);

// A running daemon, for the commands that talk to one. Each call blocks; an error tells people what to do.
class AdminClient {
 public:
  explicit AdminClient(const std::string& address);

  // `timeout` absent (infinite): the daemon's own.
  absl::StatusOr<v1::DrainResponse> Drain(absl::Duration timeout);
  // Gives up at `deadline`: DEADLINE_EXCEEDED.
  absl::StatusOr<v1::WaitDrainedResponse> WaitDrained(absl::Time deadline);
  absl::StatusOr<v1::Status> GetStatus();
  // grpc.health.v1: whether `service` (empty: the daemon) serves.
  absl::StatusOr<bool> IsServing(const std::string& service, absl::Duration timeout);

 private:
  absl::Status ToStatus(const grpc::Status& status) const;

  const std::string address_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AdminService::Stub> admin_;
};

// Prints it in one line, and returns the exit code that goes with it.
int FailCall(const char* command, const absl::Status& status);

}  // namespace sluice::app
