#include "app/reloader.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "app/config_check.h"
#include "base/log.h"
#include "config/changes.h"

namespace sluice::app {
namespace {

// The files that a login is made of; empty names are left out.
std::vector<std::string> SecretFiles(const config::Nats& nats) {
  std::vector<std::string> paths;
  for (const std::string& path : {nats.user_file, nats.password_file, nats.token_file, nats.credentials_file,
                                  nats.nkey_seed_file, nats.tls.ca_file, nats.tls.cert_file, nats.tls.key_file}) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

std::vector<std::string> ReadAll(const std::vector<std::string>& paths) {
  std::vector<std::string> contents;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    contents.push_back(content.str());
  }
  return contents;
}

std::vector<std::string> Watched(const std::string& file, const config::Nats& nats) {
  std::vector<std::string> paths = SecretFiles(nats);
  paths.push_back(file);
  return paths;
}

}  // namespace

Reloader::Reloader(const ConfigSource* source, config::Config running, Process* process, StderrLog* log,
                   ReloadStatus* status)
    : source_(source),
      process_(process),
      log_(log),
      status_(status),
      running_(std::move(running)),
      secrets_(ReadAll(SecretFiles(running_.nats))),
      watch_(Watched(source->File(), running_.nats)) {}

absl::Duration Reloader::interval() const {
  return running_.reload.interval > absl::ZeroDuration() ? running_.reload.interval : absl::InfiniteDuration();
}

void Reloader::Look() {
  if (watch_.Changed()) Reload("a file has changed");
}

void Reloader::Reload(absl::string_view why) {
  // Before it is read: what changes meanwhile is seen by the next look.
  watch_.Reset(Watched(source_->File(), running_.nats));
  base::LogInfo("reloading the configuration", {{"file", source_->File()}, {"why", why}});
  const config::Loaded wanted = source_->Load();
  if (!wanted.ok()) {
    std::vector<std::string> lines;
    for (const config::Problem& problem : wanted.problems) lines.push_back(problem.ToString());
    return Fail(lines.front(), lines);
  }
  const config::Changes changes = config::Compare(running_, wanted.config);
  if (!changes.fixed.empty()) {
    const std::string line = absl::StrCat("cannot change while the daemon runs: ", absl::StrJoin(changes.fixed, ", "),
                                          "; restart it, or set them back");
    return Fail(line, {line});
  }
  Apply(wanted, changes.login, changes.log);
}

void Reloader::Fail(std::string problem, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    base::LogError("the configuration is not reloaded, the one before stays", {{"err", line}});
  }
  status_->Failed(std::move(problem));
}

void Reloader::Apply(const config::Loaded& wanted, bool login, bool log) {
  std::vector<std::string> secrets = ReadAll(SecretFiles(wanted.config.nats));
  login = login || secrets != secrets_;
  const bool moved = SecretFiles(wanted.config.nats) != SecretFiles(running_.nats);
  if (log) log_->Set(wanted.config.log);
  LogLint(wanted);
  running_ = wanted.config;
  secrets_ = std::move(secrets);
  if (moved) watch_.Reset(Watched(source_->File(), running_.nats));
  if (!login) {
    base::LogInfo("the configuration is reloaded");
    return status_->Succeeded(absl::Now());
  }
  process_->LogIn(running_.nats, [status = status_](const absl::Status& connected) {
    if (connected.ok()) {
      base::LogInfo("the configuration is reloaded");
      status->Succeeded(absl::Now());
    } else {
      status->Failed(std::string(connected.message()));
    }
  });
}

}  // namespace sluice::app
