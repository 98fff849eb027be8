#pragma once

#include <string>

#include "absl/status/status.h"

namespace sluice::rpc {

// INVALID_ARGUMENT unless it is host:port with a number for the port; gRPC takes more, and makes 443 of no port.
absl::Status CheckTcpAddress(const std::string& address);

// Where a client on this machine finds who listens at `address`, with this port: of a wildcard, the loopback.
std::string DialAddress(const std::string& address, int port);

// Why gRPC could not listen there, and what to do. gRPC itself does not tell, so this tries it once more.
absl::Status ExplainTcpFailure(const std::string& address);

}  // namespace sluice::rpc
