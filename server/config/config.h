#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/log.h"
#include "core/consumer_options.h"
#include "core/durable_config.h"

namespace sluice::config {

// What the daemon is told to do: the file's content, with every default filled in. Plain values; docs/configuration.md
// says what each means. An empty string is "not given".

struct Tls {
  bool enabled = false;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string server_name;
  bool insecure_skip_verify = false;

  bool operator==(const Tls&) const = default;
};

struct Nats {
  std::vector<std::string> servers = {"nats://127.0.0.1:4222"};
  std::string name = "sluice";
  std::string user;  // also what is in user_file
  std::string user_file;
  std::string password;  // also what is in password_file
  std::string password_file;
  std::string token;  // also what is in token_file
  std::string token_file;
  std::string credentials_file;
  std::string nkey_seed_file;
  Tls tls;
  std::string domain;
  std::string api_prefix = "$JS.API";
  absl::Duration reconnect_wait = absl::Milliseconds(250);

  bool operator==(const Nats&) const = default;
};

struct Listen {
  std::string unix_socket = "/run/sluice/sluice.sock";
  std::string tcp;
  std::string token_key_file;  // empty: beside the Unix socket
  bool reflection = false;
};

// What `/readyz` asks for, besides that no drain runs.
enum class Readiness { kProcess, kNats, kConsumers };

struct Admin {
  std::string listen;  // empty: no HTTP
  Readiness readiness = Readiness::kNats;
  absl::Duration liveness_timeout = absl::Seconds(15);
  bool quit = false;
};

enum class LogFormat { kJson, kText };

struct Log {
  base::Severity level = base::Severity::kInfo;
  LogFormat format = LogFormat::kJson;

  bool operator==(const Log&) const = default;
};

struct Reload {
  absl::Duration interval = absl::Seconds(2);  // 0: never
};

struct Drain {
  absl::Duration timeout = absl::Seconds(45);
};

// What the daemon cannot see of where it runs. It runs the same without; Lint() compares with it.
struct Deployment {
  std::optional<absl::Duration> grace_period;
  std::optional<int64_t> pods;
  std::optional<int64_t> credit;
};

struct Consumer {
  core::ConsumerOptions options;
  core::Manage manage = core::Manage::kEnsure;
  core::DurableConfig config;
};

struct Config {
  Nats nats;
  Listen listen;
  Admin admin;
  Log log;
  Reload reload;
  Drain drain;
  Deployment deployment;
  std::vector<Consumer> consumers;
};

}  // namespace sluice::config
