#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "app/config_source.h"
#include "app/file_watch.h"
#include "app/process.h"
#include "app/reload_status.h"
#include "app/stderr_log.h"
#include "config/config.h"

namespace sluice::app {

// Keeps a running daemon as its configuration says, as far as that can change while it runs (config/changes.h): reads
// it anew when told to, or when one of its files has changed. What is bad, or cannot change, leaves all as it is. Used
// by main's thread alone; the others outlive it.
class Reloader {
 public:
  Reloader(const ConfigSource* source, config::Config running, Process* process, StderrLog* log, ReloadStatus* status);

  // `why` is for the log.
  void Reload(absl::string_view why);
  // Call it each interval().
  void Look();
  // InfiniteDuration: never.
  absl::Duration interval() const;

 private:
  void Fail(std::string problem, const std::vector<std::string>& lines);
  void Apply(const config::Loaded& wanted, bool login, bool log);

  const ConfigSource* const source_;
  Process* const process_;
  StderrLog* const log_;
  ReloadStatus* const status_;
  config::Config running_;
  std::vector<std::string> secrets_;  // what is in the files that the login names
  FileWatch watch_;
};

}  // namespace sluice::app
