#include "app/dev/nats_server.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

namespace sluice::dev {
namespace {

using nlohmann::json;

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr absl::Duration kLook = absl::Milliseconds(5);

// The server writes its ports here once it listens. Empty: it does not yet, or has written half of it.
std::string UrlIn(const std::string& ports_file) {
  std::ifstream file(ports_file);
  const json ports = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!ports.is_object() || !ports.contains("nats")) return "";
  const json& urls = ports["nats"];
  return urls.is_array() && !urls.empty() && urls[0].is_string() ? urls[0].get<std::string>() : "";
}

}  // namespace

absl::StatusOr<std::string> FindNatsServer() {
  if (const char* named = std::getenv("SLUICE_NATS_SERVER"); named != nullptr && *named != '\0') {
    if (access(named, X_OK) == 0) return std::string(named);
    return absl::NotFoundError(absl::StrCat("$SLUICE_NATS_SERVER, ", named, ", is not a program; correct or unset it"));
  }
  const char* path = std::getenv("PATH");
  std::vector<std::string> folders = absl::StrSplit(path != nullptr ? path : "", ':', absl::SkipEmpty());
  folders.insert(folders.end(), {"/usr/sbin", "/usr/local/bin"});
  for (const std::string& folder : folders) {
    std::string program = absl::StrCat(folder, "/nats-server");
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return absl::NotFoundError(
      "no nats-server found; install one (apt install nats-server), name one in $SLUICE_NATS_SERVER, or use a running "
      "one with --nats URL");
}

absl::StatusOr<NatsServer> StartNatsServer(const std::string& program, const Workspace& workspace) {
  absl::StatusOr<std::unique_ptr<Child>> process =
      Child::Start({.name = "nats-server",
                    .argv = {program, "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir",
                             workspace.Path("jetstream"), "--ports_file_dir", workspace.folder().string()},
                    .log = workspace.Path("nats-server.log")});
  if (!process.ok()) return process.status();
  Child& child = **process;
  if (absl::Status status = workspace.Write("nats-server.pid", absl::StrCat(child.pid(), "\n")); !status.ok()) {
    return status;
  }
  const std::string ports_file =
      workspace.Path(absl::StrCat(std::filesystem::path(program).filename().string(), "_", child.pid(), ".ports"));
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (child.Running() && absl::Now() < deadline) {
    if (std::string url = UrlIn(ports_file); !url.empty()) return NatsServer{*std::move(process), std::move(url)};
    absl::SleepFor(kLook);
  }
  return absl::UnavailableError(
      absl::StrCat("nats-server ", program, " did not start (", child.HowItEnded(), "): ", child.LogTail(3)));
}

}  // namespace sluice::dev
