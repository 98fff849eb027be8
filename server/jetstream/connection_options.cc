#include "jetstream/connection_options.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "jetstream/nkey.h"
#include "jetstream/server_url.h"

namespace sluice::jetstream {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
// A server that stops reading must not hold up the loop, which writes to the socket when cnats's buffer is full.
constexpr absl::Duration kWriteDeadline = absl::Seconds(2);
// A peer that vanished without a word is noticed after 30 s at most; pulls notice sooner.
constexpr absl::Duration kPingInterval = absl::Seconds(10);
constexpr int kPingsOut = 2;
constexpr absl::Duration kFirstReconnectWait = absl::Milliseconds(50);
// Settlements and pulls written between the loss of a connection and its notice.
constexpr int kReconnectBufferBytes = 8 << 20;
// cnats's write buffer: some 500 acks per write.
constexpr int kIoBufferBytes = 32 << 10;

// Collects the first failure of a sequence of setters.
class Setter {
 public:
  explicit Setter(natsOptions* options) : options_(options) {}

  template <typename Function, typename... Args>
  void Set(Function function, Args... args) {
    if (status_ == NATS_OK) status_ = function(options_, args...);
  }
  natsStatus status() const { return status_; }

 private:
  natsOptions* const options_;
  natsStatus status_ = NATS_OK;
};

absl::Status Invalid(absl::string_view what, natsStatus status) {
  const char* detail = nats_GetLastError(nullptr);
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": ", detail != nullptr && *detail != '\0' ? detail : natsStatus_GetText(status)));
}

absl::StatusOr<std::string> ReadFile(absl::string_view what, const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " ", path, " cannot be read; check the path, and that the user of this process may read it"));
  }
  return text.str();
}

// Runs on cnats's reconnecting thread, after each round over all servers. Doubles up to the configured wait, and varies
// by half so that a fleet does not come back in step.
int64_t ReconnectDelay(natsConnection*, int attempts, void* most_ms) {
  static thread_local absl::InsecureBitGen random;
  const int doublings = std::min(attempts - 1, 16);
  const double wait = std::min(absl::ToDoubleMilliseconds(kFirstReconnectWait) * (1 << doublings),
                               static_cast<double>(reinterpret_cast<intptr_t>(most_ms)));
  return std::max<int64_t>(1, static_cast<int64_t>(wait * absl::Uniform(random, 0.5, 1.0)));
}

absl::Status CheckCombination(const ConnectionOptions& options) {
  const int ways = (!options.user.empty()) + (!options.token.empty()) + (!options.credentials_file.empty()) +
                   (!options.nkey_seed_file.empty());
  if (ways > 1) {
    return absl::InvalidArgumentError(
        "NATS: give one of user, token, credentials file and NKey seed file, not several");
  }
  if (options.user.empty() && !options.password.empty()) {
    return absl::InvalidArgumentError("NATS: a password without a user; give both, or a token");
  }
  if (!options.domain.empty() && options.api_prefix != ConnectionOptions().api_prefix) {
    return absl::InvalidArgumentError("NATS: give the JetStream domain or the API prefix, not both");
  }
  if (options.tls.cert_file.empty() != options.tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "NATS TLS: a certificate needs its key and a key its certificate; give both files");
  }
  return absl::OkStatus();
}

absl::Status SetServers(natsOptions* nats, const std::vector<std::string>& servers) {
  if (servers.empty()) return absl::InvalidArgumentError("NATS: no server address; write nats://host:4222");
  std::vector<const char*> urls;
  for (const std::string& server : servers) {
    if (const absl::StatusOr<ServerUrl> url = ParseServerUrl(server); !url.ok()) return url.status();
    urls.push_back(server.c_str());
  }
  const natsStatus status = natsOptions_SetServers(nats, urls.data(), static_cast<int>(urls.size()));
  return status == NATS_OK ? absl::OkStatus() : Invalid("NATS server addresses", status);
}

absl::Status SetNKey(natsOptions* nats, const std::string& path) {
  const absl::StatusOr<std::string> file = ReadFile("NKey seed file", path);
  if (!file.ok()) return file.status();
  for (absl::string_view line : absl::StrSplit(*file, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.substr(0, 2) != "SU") continue;
    const absl::StatusOr<std::string> key = PublicNKey(line);
    if (!key.ok())
      return absl::InvalidArgumentError(absl::StrCat("NKey seed file ", path, ": ", key.status().message()));
    const natsStatus status = natsOptions_SetNKeyFromSeed(nats, key->c_str(), path.c_str());
    return status == NATS_OK ? absl::OkStatus() : Invalid(absl::StrCat("NKey seed file ", path), status);
  }
  return absl::InvalidArgumentError(absl::StrCat("NKey seed file ", path, " has no line that begins with SU"));
}

absl::Status SetCredentials(natsOptions* nats, const ConnectionOptions& options) {
  Setter setter(nats);
  if (!options.user.empty()) setter.Set(natsOptions_SetUserInfo, options.user.c_str(), options.password.c_str());
  if (!options.token.empty()) setter.Set(natsOptions_SetToken, options.token.c_str());
  if (setter.status() != NATS_OK) return Invalid("NATS user or token", setter.status());
  if (!options.nkey_seed_file.empty()) return SetNKey(nats, options.nkey_seed_file);
  if (options.credentials_file.empty()) return absl::OkStatus();

  // cnats reads it at each connect, so that a renewed file is used; here only to refuse a wrong one at once.
  const absl::StatusOr<std::string> file = ReadFile("NATS credentials file", options.credentials_file);
  if (!file.ok()) return file.status();
  if (file->find("BEGIN NATS USER JWT") == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("NATS credentials file ", options.credentials_file,
                                                   " holds no user JWT; write it with nsc generate creds"));
  }
  setter.Set(natsOptions_SetUserCredentialsFromFiles, options.credentials_file.c_str(), nullptr);
  return setter.status() == NATS_OK ? absl::OkStatus() : Invalid("NATS credentials file", setter.status());
}

absl::Status SetTls(natsOptions* nats, const TlsOptions& tls) {
  if (!tls.enabled) return absl::OkStatus();
  for (const auto& [what, path] :
       {std::pair("NATS TLS CA file", &tls.ca_file), std::pair("NATS TLS certificate", &tls.cert_file),
        std::pair("NATS TLS key", &tls.key_file)}) {
    if (path->empty()) continue;
    if (const absl::StatusOr<std::string> file = ReadFile(what, *path); !file.ok()) return file.status();
  }
  Setter setter(nats);
  setter.Set(natsOptions_SetSecure, true);
  if (!tls.ca_file.empty()) {
    setter.Set(natsOptions_LoadCATrustedCertificates, tls.ca_file.c_str());
    if (setter.status() != NATS_OK) return Invalid(absl::StrCat("NATS TLS CA file ", tls.ca_file), setter.status());
  }
  if (!tls.cert_file.empty()) {
    setter.Set(natsOptions_LoadCertificatesChain, tls.cert_file.c_str(), tls.key_file.c_str());
    if (setter.status() != NATS_OK) {
      return Invalid(absl::StrCat("NATS TLS certificate ", tls.cert_file, " and key ", tls.key_file), setter.status());
    }
  }
  if (!tls.server_name.empty()) setter.Set(natsOptions_SetExpectedHostname, tls.server_name.c_str());
  if (tls.insecure_skip_verify) setter.Set(natsOptions_SkipServerVerification, true);
  return setter.status() == NATS_OK ? absl::OkStatus() : Invalid("NATS TLS", setter.status());
}

natsStatus SetBehaviour(natsOptions* nats, const ConnectionOptions& options) {
  const int64_t most_wait_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(options.reconnect_wait));
  Setter setter(nats);
  setter.Set(natsOptions_SetName, options.name.c_str());
  setter.Set(natsOptions_SetTimeout, absl::ToInt64Milliseconds(kConnectTimeout));
  setter.Set(natsOptions_SetWriteDeadline, absl::ToInt64Milliseconds(kWriteDeadline));
  setter.Set(natsOptions_SetPingInterval, absl::ToInt64Milliseconds(kPingInterval));
  setter.Set(natsOptions_SetMaxPingsOut, kPingsOut);
  setter.Set(natsOptions_SetMaxReconnect, -1);
  setter.Set(natsOptions_SetCustomReconnectDelay, &ReconnectDelay, reinterpret_cast<void*>(most_wait_ms));
  setter.Set(natsOptions_SetReconnectBufSize, kReconnectBufferBytes);
  setter.Set(natsOptions_SetIOBufSize, kIoBufferBytes);
  return setter.status();
}

}  // namespace

std::string ConnectionOptions::ApiPrefix() const {
  return domain.empty() ? api_prefix : absl::StrCat("$JS.", domain, ".API");
}

absl::StatusOr<NatsPtr<natsOptions>> MakeNatsOptions(const ConnectionOptions& options) {
  if (absl::Status status = CheckCombination(options); !status.ok()) return status;
  natsOptions* raw = nullptr;
  if (const natsStatus status = natsOptions_Create(&raw); status != NATS_OK) return Invalid("NATS options", status);
  NatsPtr<natsOptions> nats(raw);
  if (const natsStatus status = SetBehaviour(raw, options); status != NATS_OK) return Invalid("NATS options", status);
  if (absl::Status status = SetServers(raw, options.servers); !status.ok()) return status;
  if (absl::Status status = SetCredentials(raw, options); !status.ok()) return status;
  if (absl::Status status = SetTls(raw, options.tls); !status.ok()) return status;
  return nats;
}

}  // namespace sluice::jetstream
