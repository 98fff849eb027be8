#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::jetstream {

// The address of a nats-server: [nats://|tls://][user[:password]@]host[:port].
struct ServerUrl {
  std::string scheme = "nats";
  std::string host;  // an IPv6 address without its brackets
  std::string port = "4222";

  // Without user and password: fit for logs and status pages.
  std::string ToString() const;
};

// INVALID_ARGUMENT says what is wrong, without repeating a password.
absl::StatusOr<ServerUrl> ParseServerUrl(absl::string_view url);

}  // namespace sluice::jetstream
