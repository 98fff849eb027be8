#pragma once

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::dev {

// The temporary folder of a run, for this user only: the streams, the daemon's socket, configuration, logs and pids.
// Removed with the object, unless it is kept.
class Workspace {
 public:
  static absl::StatusOr<Workspace> Make(bool keep);
  Workspace(Workspace&& other) noexcept;
  Workspace& operator=(Workspace&&) = delete;
  ~Workspace();

  std::string Path(absl::string_view name) const;
  absl::Status Write(absl::string_view name, absl::string_view content) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  Workspace(std::filesystem::path folder, bool keep) : folder_(std::move(folder)), keep_(keep) {}

  std::filesystem::path folder_;  // empty: moved from
  bool keep_;
};

}  // namespace sluice::dev
