#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/consumer.grpc.pb.h"
#include "test/integration/process.h"

namespace sluice::integration {

// The configuration of a daemon with one consumer, "orders", on the stream S; the defaults are those of the daemon,
// but for the limits that bound a test.
struct DaemonOptions {
  std::string nats_url;
  std::string manage = "ensure";
  absl::Duration ack_wait = absl::Seconds(10);
  int max_ack_pending = 20000;
  int max_deliver = -1;  // no limit
  std::string ack_policy = "explicit";
  absl::Duration drain_timeout = absl::Seconds(10);
  absl::Duration pull_expires = absl::Seconds(1);
  std::string more;  // lines of the consumer

  std::string ToYaml(const std::string& socket) const;
};

// `sluice serve`, the real thing, in a process of its own. The socket, the configuration and the log lie in `dir`;
// successors in the same folder append to the log.
class DaemonProcess {
 public:
  DaemonProcess(const std::string& dir, const DaemonOptions& options);
  // With a configuration of the test's own.
  DaemonProcess(const std::string& dir, const std::string& yaml);

  // Returns when it answers.
  absl::Status AwaitServing();
  // Returns when it is connected to NATS as well, and the consumer is SERVING.
  absl::Status AwaitReady();

  void Signal(int signal);
  // When it was first sent a signal; InfiniteFuture: it was not.
  absl::Time signalled() const { return signalled_; }
  std::optional<int> Wait(absl::Duration patience = absl::Seconds(40)) { return process_.Wait(patience); }
  // SIGTERM, and its exit code.
  std::optional<int> Terminate(absl::Duration patience = absl::Seconds(40));

  std::string address() const;
  sluice::v1::Status Status();
  sluice::v1::ConsumerCounts Counts() { return Status().consumers(0).counts(); }
  sluice::v1::AdminService::Stub& admin() { return *admin_; }
  // All lines of this daemon.
  std::string Log() const;
  // A count of the report that it logs at the end of a drain: "released". -1: there is none.
  int64_t Reported(const std::string& count) const;

 private:
  DaemonProcess(const std::string& dir, const std::string& config_path, int64_t log_start);

  const std::string dir_;
  const int64_t log_start_;
  absl::Time signalled_ = absl::InfiniteFuture();
  Process process_;
  std::unique_ptr<sluice::v1::AdminService::Stub> admin_;
};

std::string SocketPath(const std::string& dir);

}  // namespace sluice::integration
