#include "rpc/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice::rpc {
namespace {

absl::Status Taken(const std::string& path) {
  return absl::AlreadyExistsError(
      absl::StrCat("another process serves the socket ", path, "; stop it, or configure another path"));
}

absl::StatusOr<int> Lock(const std::string& path) {
  const std::string lock_path = absl::StrCat(path, ".lock");
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot create ", lock_path,
                                            error == ENOENT ? "; make its directory first"
                                                            : "; this user must be able to write to its directory"));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int error = errno;
  close(fd);
  if (error == EWOULDBLOCK) return Taken(path);
  return absl::ErrnoToStatus(error, absl::StrCat("cannot lock ", lock_path, "; its file system must know flock"));
}

// True if somebody listens there.
bool IsLive(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;  // cannot tell: leave it alone
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(fd);
  return result == 0 || (error != ECONNREFUSED && error != ENOENT);  // EAGAIN: its backlog is full
}

absl::Status RemoveStale(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " exists and is no socket; remove it, or configure another path"));
  }
  if (IsLive(path)) return Taken(path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot remove the stale socket ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixSocket>> UnixSocket::Claim(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the path of the socket is empty or holds a NUL");
  }
  if (path.size() > kMaxPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path of the socket has ", path.size(), " bytes; at most ", kMaxPath, ": ", path));
  }
  absl::StatusOr<int> fd = Lock(path);
  if (!fd.ok()) return fd.status();
  auto unlock = absl::MakeCleanup([&] { close(*fd); });
  if (absl::Status status = RemoveStale(path); !status.ok()) return status;
  std::move(unlock).Cancel();
  return std::unique_ptr<UnixSocket>(new UnixSocket(path, *fd));
}

UnixSocket::~UnixSocket() {
  unlink(path_.c_str());
  close(lock_fd_);
}

std::string UnixSocket::address() const {
  std::string uri = "unix:";
  for (const char c : path_) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::strchr("/-._~", c) != nullptr) {
      uri += c;
    } else {
      absl::StrAppendFormat(&uri, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

}  // namespace sluice::rpc
