#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sluice::rpc {

// The right to serve on the path of a Unix socket. gRPC's bind replaces whatever socket is there, even a live one, so
// the right is taken first: by a lock on `<path>.lock`, which the kernel gives back however the process ends, and by
// knocking, for a server that knows no such lock. The lock file stays, as removing it would let two hold it.
//
// Owned by Server, which lets go of it last. Any thread.
class UnixSocket {
 public:
  static constexpr size_t kMaxPath = 107;  // bytes: sun_path less its NUL

  // Takes the right; a stale socket is removed. Errors say what to do: INVALID_ARGUMENT for the path,
  // ALREADY_EXISTS for a live owner, NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION for the place.
  static absl::StatusOr<std::unique_ptr<UnixSocket>> Claim(const std::string& path);

  // Removes the socket and gives the right back.
  ~UnixSocket();
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;

  // As gRPC wants it: a URI, so that bytes with a meaning in URIs are escaped.
  std::string address() const;

 private:
  UnixSocket(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  const std::string path_;
  const int lock_fd_;
};

}  // namespace sluice::rpc
