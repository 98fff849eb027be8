#include "jetstream/server_version.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

constexpr size_t kLongestInfo = 64 << 10;  // bytes; a large cluster's connect_urls are a few KiB

bool WaitFor(int fd, short events, absl::Time deadline) {
  const int64_t ms = absl::ToInt64Milliseconds(deadline - absl::Now());
  pollfd poll_fd = {fd, events, 0};
  return ms > 0 && poll(&poll_fd, 1, static_cast<int>(ms)) == 1;
}

// The first line that the server sends, or what came of it by the deadline.
std::string ReadLine(int fd, absl::Time deadline) {
  std::string line;
  char buffer[4096];
  while (line.size() < kLongestInfo && line.find('\n') == std::string::npos && WaitFor(fd, POLLIN, deadline)) {
    const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    line.append(buffer, static_cast<size_t>(n));
  }
  return line.substr(0, line.find('\n'));
}

// "" if this address does not answer.
std::string Greeting(const addrinfo& address, absl::Time deadline) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (fd < 0) return "";
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  if (connect(fd, address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) return "";
  return ReadLine(fd, deadline);
}

}  // namespace

bool VersionAtLeast(absl::string_view version, int major, int minor, int patch) {
  if (!version.empty() && version.front() == 'v') version.remove_prefix(1);
  const std::vector<absl::string_view> core = absl::StrSplit(version.substr(0, version.find_first_of("-+")), '.');
  std::vector<int> numbers;
  for (const absl::string_view part : core) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number)) return false;
    numbers.push_back(number);
  }
  return numbers >= std::vector<int>{major, minor, patch};
}

bool LeaderTakesTermReason(const json& info_reply) { return info_reply.contains("ts"); }

absl::StatusOr<std::string> ReadServerVersion(const std::string& host, const std::string& port,
                                              absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return absl::UnavailableError("no such host");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const std::string line = Greeting(*address, deadline);
    if (line.compare(0, 5, "INFO ") != 0) continue;
    const json info = json::parse(line.begin() + 5, line.end(), nullptr, /*allow_exceptions=*/false);
    if (!info.is_object() || !info.contains("version") || !info["version"].is_string()) break;
    return info["version"].get<std::string>();
  }
  return absl::UnavailableError("no INFO line");
}

}  // namespace sluice::jetstream
