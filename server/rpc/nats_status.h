#pragma once

#include <cstdint>
#include <string>

namespace sluice::rpc {

// The connection to NATS as `AdminService.GetStatus` shows it; see sluice.v1.Nats. rpc cannot see the room that knows,
// so that app passes it on.
struct NatsStatus {
  bool connected = false;
  std::string url;
  std::string server_version;
  uint64_t reconnects = 0;
  std::string last_error;
};

}  // namespace sluice::rpc
