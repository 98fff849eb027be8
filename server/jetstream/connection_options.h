#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

struct TlsOptions {
  bool enabled = false;
  std::string ca_file;    // PEM; empty: what OpenSSL trusts on this machine
  std::string cert_file;  // PEM; with key_file: the client's own certificate
  std::string key_file;
  std::string server_name;  // empty: the host of the address
  bool insecure_skip_verify = false;
};

// How to reach NATS. At most one of user and password, token, credentials file, NKey seed file.
struct ConnectionOptions {
  std::vector<std::string> servers = {"nats://127.0.0.1:4222"};
  std::string name = "sluice";  // shown in the server's list of connections
  std::string user;
  std::string password;
  std::string token;
  std::string credentials_file;  // JWT and seed, as nsc writes it
  std::string nkey_seed_file;
  TlsOptions tls;
  absl::Duration reconnect_wait = absl::Seconds(2);  // most time between two attempts; the first ones come sooner
  std::string api_prefix = "$JS.API";                // of an account that imports JetStream's API under another name
  std::string domain;                                // of JetStream; instead of api_prefix

  // "$JS.API" or what it is replaced by.
  std::string ApiPrefix() const;
};

// cnats's options. INVALID_ARGUMENT: an address, a combination, or a file (named) that cannot be used; tells what to
// do.
absl::StatusOr<NatsPtr<natsOptions>> MakeNatsOptions(const ConnectionOptions& options);

}  // namespace sluice::jetstream
