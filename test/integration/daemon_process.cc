#include "test/integration/daemon_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"
#include "test/integration/await.h"

namespace sluice::integration {
namespace {

bool Accepts(const std::string& socket_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

std::string WriteConfig(const std::string& dir, const std::string& yaml) {
  const std::string path = absl::StrCat(dir, "/sluice.yaml");
  WriteFile(path, yaml);
  return path;
}

}  // namespace

std::string SocketPath(const std::string& dir) { return absl::StrCat(dir, "/s.sock"); }

std::string DaemonOptions::ToYaml(const std::string& socket) const {
  return absl::StrCat("nats:\n  servers: ", nats_url, "\n  reconnect_wait: 50ms\nlisten:\n  unix: ", socket,
                      "\ndrain:\n  timeout: ", absl::FormatDuration(drain_timeout),
                      "\nconsumers:\n  - name: orders\n    stream: S\n    manage: ", manage,
                      "\n    pull: {expires: ", absl::FormatDuration(pull_expires),
                      "}\n    config: {ack_wait: ", absl::FormatDuration(ack_wait),
                      ", max_ack_pending: ", max_ack_pending, ", max_deliver: ", max_deliver,
                      ", ack_policy: ", ack_policy, "}\n", more);
}

DaemonProcess::DaemonProcess(const std::string& dir, const DaemonOptions& options)
    : DaemonProcess(dir, options.ToYaml(SocketPath(dir))) {}

DaemonProcess::DaemonProcess(const std::string& dir, const std::string& yaml)
    : DaemonProcess(dir, WriteConfig(dir, yaml),
                    static_cast<int64_t>(ReadFile(absl::StrCat(dir, "/daemon.log")).size())) {}

DaemonProcess::DaemonProcess(const std::string& dir, const std::string& config_path, int64_t log_start)
    : dir_(dir),
      log_start_(log_start),
      process_({SluiceBinary(), "serve", "--config", config_path}, absl::StrCat(dir, "/daemon.out"),
               absl::StrCat(dir, "/daemon.log")) {}

absl::Status DaemonProcess::AwaitServing() {
  // gRPC would wait for a second after a refused connection.
  const bool accepts = Eventually([&] { return process_.Wait(absl::ZeroDuration()) || Accepts(SocketPath(dir_)); });
  if (const auto code = process_.Wait(absl::ZeroDuration())) {
    return absl::InternalError(absl::StrCat("sluice serve has ended with ", *code, ":\n", Log()));
  }
  if (!accepts) return absl::DeadlineExceededError("sluice serve does not listen");
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // none of a predecessor's connections
  admin_ = sluice::v1::AdminService::NewStub(
      grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments));
  return Status().version().empty() ? absl::InternalError("sluice serve does not answer") : absl::OkStatus();
}

absl::Status DaemonProcess::AwaitReady() {
  if (absl::Status status = AwaitServing(); !status.ok()) return status;
  const bool ready = Eventually([&] {
    const sluice::v1::Status status = Status();
    return status.consumers_size() == 1 && status.consumers(0).state().kind() == sluice::v1::State::KIND_SERVING;
  });
  return ready ? absl::OkStatus() : absl::DeadlineExceededError("the consumer is not SERVING");
}

void DaemonProcess::Signal(int signal) {
  signalled_ = std::min(signalled_, absl::Now());
  process_.Signal(signal);
}

std::optional<int> DaemonProcess::Terminate(absl::Duration patience) {
  Signal(SIGTERM);
  return Wait(patience);
}

std::string DaemonProcess::address() const { return absl::StrCat("unix:", SocketPath(dir_)); }

sluice::v1::Status DaemonProcess::Status() {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  sluice::v1::Status status;
  const grpc::Status end = admin_->GetStatus(&context, {}, &status);
  EXPECT_TRUE(end.ok()) << end.error_message();
  return status;
}

std::string DaemonProcess::Log() const { return ReadFile(absl::StrCat(dir_, "/daemon.log")).substr(log_start_); }

int64_t DaemonProcess::Reported(const std::string& count) const {
  const std::string log = Log();
  const size_t report = log.rfind("awaited=");
  if (report == std::string::npos) return -1;
  const std::string key = absl::StrCat(count, "=");
  const size_t at = log.find(key, report);
  return at == std::string::npos ? -1 : std::atoll(log.c_str() + at + key.size());
}

}  // namespace sluice::integration
