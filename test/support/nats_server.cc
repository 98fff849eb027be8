#include "test/support/nats_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "test/support/nats_admin.h"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartTimeout = absl::Seconds(20);
constexpr absl::Duration kPlacementTimeout = absl::Seconds(10);
constexpr absl::Duration kPoll = absl::Milliseconds(5);
constexpr int kPortTries = 5;
constexpr int kClusterSize = 3;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Whether whoever listens on `port` sends a first line within 200 ms.
bool Greets(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return false;
  pollfd readable = {fd, POLLIN, 0};
  char buffer[5];
  return poll(&readable, 1, 200) == 1 && recv(fd, buffer, sizeof(buffer), 0) == sizeof(buffer);
}

// Until the nodes place a stream on all of them. Now and then a 2.10 elects itself the leader of one before its routes
// are up, and stays alone: such a cluster is of no use.
absl::Status AwaitPlacement(const std::string& url) {
  const absl::Time deadline = absl::Now() + kPlacementTimeout;
  auto admin = JetStreamAdmin::Connect(url);
  absl::Status status = admin.status();
  while (admin.ok() && absl::Now() < deadline) {
    const nlohmann::json config = {{"name", "PLACEMENT"}, {"subjects", {"placement"}}, {"num_replicas", kClusterSize}};
    status = (*admin)->Api("STREAM.CREATE.PLACEMENT", config).status();
    if (status.ok()) return (*admin)->DeleteStream("PLACEMENT");
    absl::SleepFor(kPoll);
  }
  return status;
}

std::string MakeTempDir() {
  std::string path = (fs::temp_directory_path() / "sluice-nats-XXXXXX").string();
  return mkdtemp(path.data()) == nullptr ? "" : path;
}

// After fork(): only what is safe in the child of a process with threads.
[[noreturn]] void Become(char* const* argv, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

std::vector<std::string> NatsServerBinaries() {
  if (const char* servers = std::getenv("SLUICE_NATS_SERVERS"); servers != nullptr && *servers != '\0') {
    return absl::StrSplit(servers, ':', absl::SkipEmpty());
  }
  const char* path = std::getenv("PATH");
  const std::string folders = absl::StrCat(path == nullptr ? "" : path, ":/usr/sbin");
  for (const absl::string_view folder : absl::StrSplit(folders, ':')) {
    const std::string binary = absl::StrCat(folder, "/nats-server");
    if (access(binary.c_str(), X_OK) == 0) return {binary};
  }
  return {};
}

std::string NatsServerVersion(const std::string& binary) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(absl::StrCat("'", binary, "' --version").c_str(), "r"),
                                                   pclose);
  char line[256] = "";
  if (pipe == nullptr || fgets(line, sizeof(line), pipe.get()) == nullptr) return "unknown";
  absl::string_view version = absl::StripAsciiWhitespace(line);
  version = version.substr(version.rfind(' ') + 1);
  absl::ConsumePrefix(&version, "v");
  return std::string(version);
}

int FreePort() {
  // The kernel may name a port again as soon as it is closed, and so one that is meant for another server of this test.
  static absl::Mutex mutex(absl::kConstInit);
  static std::set<int>* const named = new std::set<int>;
  absl::MutexLock lock(&mutex);
  for (;;) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    if (const int port = ntohs(address.sin_port); named->insert(port).second) return port;
  }
}

absl::StatusOr<std::unique_ptr<NatsServer>> NatsServer::Start(Options options) {
  const int tries = options.port == 0 ? kPortTries : 1;
  absl::Status status;
  for (int i = 0; i < tries; ++i) {
    const std::string dir = MakeTempDir();
    if (dir.empty()) return absl::InternalError("no temporary folder");
    auto server = std::unique_ptr<NatsServer>(new NatsServer(options, dir));
    server->port_ = options.port == 0 ? FreePort() : options.port;
    status = server->Spawn();
    if (status.ok() && options.await_greeting) status = server->AwaitGreeting();
    if (status.ok()) return server;
  }
  return status;
}

NatsServer::~NatsServer() {
  Kill();
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

std::string NatsServer::url() const { return absl::StrCat("nats://127.0.0.1:", port_); }

std::string NatsServer::log() const {
  std::ostringstream text;
  text << std::ifstream(absl::StrCat(dir_, "/log")).rdbuf();
  return text.str();
}

std::string NatsServer::WriteConfig() const {
  const std::string config = absl::StrCat(dir_, "/server.conf");
  std::ofstream(config) << "server_name: " << options_.name << "\nlisten: \"127.0.0.1:" << port_
                        << "\"\njetstream { store_dir: \"" << dir_ << "/store\" }\n"
                        << options_.config << "\n";
  return config;
}

absl::Status NatsServer::Spawn() {
  const std::string config = WriteConfig();
  const std::string log_path = absl::StrCat(dir_, "/log");
  const int log = open(log_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return absl::InternalError("cannot write the log of nats-server");
  const auto close_log = absl::MakeCleanup([log] { close(log); });

  std::string arguments[] = {options_.binary, "-c", config};
  char* const argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(argv, log, parent);
  return pid_ > 0 ? absl::OkStatus() : absl::InternalError("cannot fork");
}

absl::Status NatsServer::AwaitGreeting() {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (absl::Now() < deadline) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return absl::InternalError(absl::StrCat(options_.binary, " ended at once:\n", log()));
    }
    if (Greets(port_)) return absl::OkStatus();
    absl::SleepFor(kPoll);
  }
  return absl::DeadlineExceededError(absl::StrCat(options_.binary, " does not greet:\n", log()));
}

void NatsServer::End(int signal) {
  if (pid_ <= 0) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void NatsServer::Stop() { End(SIGTERM); }
void NatsServer::Kill() { End(SIGKILL); }

void NatsServer::Pause(bool paused) {
  if (pid_ <= 0) return;
  kill(pid_, paused ? SIGSTOP : SIGCONT);
  if (paused) waitpid(pid_, nullptr, WUNTRACED);  // when all its threads have stopped
}

absl::Status NatsServer::Reload(const std::string& config) {
  const size_t said = log().size();
  options_.config = config;
  WriteConfig();
  kill(pid_, SIGHUP);
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (absl::Now() < deadline) {
    if (log().find("Reloaded server configuration", said) != std::string::npos) return absl::OkStatus();
    absl::SleepFor(kPoll);
  }
  return absl::DeadlineExceededError(absl::StrCat("nats-server does not reload:\n", log()));
}

absl::Status NatsServer::Restart() {
  Stop();
  if (absl::Status status = Spawn(); !status.ok()) return status;
  return AwaitGreeting();
}

absl::StatusOr<std::unique_ptr<NatsCluster>> NatsCluster::Start(const std::string& binary) {
  absl::Status status;
  for (int i = 0; i < kPortTries; ++i) {
    auto cluster = std::make_unique<NatsCluster>();
    int routes[kClusterSize];
    std::string urls;
    for (int& route : routes) {
      route = FreePort();
      absl::StrAppend(&urls, urls.empty() ? "" : ", ", "\"nats://127.0.0.1:", route, "\"");
    }
    status = absl::OkStatus();
    for (int n = 0; n < kClusterSize && status.ok(); ++n) {
      NatsServer::Options options;
      options.binary = binary;
      options.name = absl::StrCat("n", n + 1);
      options.await_greeting = false;
      options.config =
          absl::StrCat("cluster { name: test, listen: \"127.0.0.1:", routes[n], "\", routes: [ ", urls, "] }");
      absl::StatusOr<std::unique_ptr<NatsServer>> node = NatsServer::Start(options);
      status = node.status();
      if (node.ok()) cluster->nodes_.push_back(*std::move(node));
    }
    for (const auto& node : cluster->nodes_) {
      if (status.ok()) status = node->AwaitGreeting();
    }
    if (status.ok()) status = AwaitPlacement(cluster->nodes_.front()->url());
    if (status.ok()) return cluster;
  }
  return status;
}

NatsServer& NatsCluster::node(const std::string& name) {
  for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
    if (name == absl::StrCat("n", i + 1)) return *nodes_[i];
  }
  return *nodes_.back();
}

}  // namespace sluice::test
