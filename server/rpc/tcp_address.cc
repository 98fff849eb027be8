#include "rpc/tcp_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::rpc {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  HostPort out{address.substr(0, colon), address.substr(colon + 1)};
  uint32_t port;
  if (!absl::SimpleAtoi(out.port, &port) || port > 65535) return std::nullopt;
  const bool bracketed = out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']';
  if (bracketed) out.host = out.host.substr(1, out.host.size() - 2);
  if (!bracketed && out.host.find(':') != std::string::npos) return std::nullopt;
  return out;
}

// The errno of a bind and a listen; 0 if they work.
int TryListen(const addrinfo& info) {
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool ok = bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int error = ok ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

absl::Status CheckTcpAddress(const std::string& address) {
  if (Split(address).has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", address, "\" is no host:port to listen on; write it as 127.0.0.1:7420 or [::1]:7420"));
}

std::string DialAddress(const std::string& address, int port) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return absl::StrCat(host, ":", port);
}

absl::Status ExplainTcpFailure(const std::string& address) {
  const std::optional<HostPort> place = Split(address);
  if (!place.has_value()) return CheckTcpAddress(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(place->host.c_str(), place->port.c_str(), &hints, &found); error != 0) {
    return absl::NotFoundError(absl::StrCat("cannot listen on ", address, ": ", gai_strerror(error),
                                            "; configure an address of this machine"));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    const int error = TryListen(*info);
    if (error == EADDRINUSE) {
      return absl::AlreadyExistsError(
          absl::StrCat("cannot listen on ", address, ": the port is taken; stop who has it, or configure another"));
    }
    if (error != 0) {
      return absl::ErrnoToStatus(error,
                                 absl::StrCat("cannot listen on ", address, "; configure an address of this machine"));
    }
  }
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ", which is free by now; try again"));
}

}  // namespace sluice::rpc
