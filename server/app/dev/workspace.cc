#include "app/dev/workspace.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::dev {

absl::StatusOr<Workspace> Workspace::Make(bool keep) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("no temporary folder: ", error.message(), "; correct $TMPDIR"));
  }
  std::string path = (parent / "sluice-dev-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a folder in ", parent.string(), ": ", std::strerror(errno), "; set $TMPDIR"));
  }
  return Workspace(path, keep);
}

Workspace::Workspace(Workspace&& other) noexcept
    : folder_(std::exchange(other.folder_, std::filesystem::path())), keep_(other.keep_) {}

Workspace::~Workspace() {
  if (folder_.empty() || keep_) return;
  std::error_code ignored;  // what cannot be removed stays in the system's temporary folder
  std::filesystem::remove_all(folder_, ignored);
}

std::string Workspace::Path(absl::string_view name) const { return (folder_ / std::string(name)).string(); }

absl::Status Workspace::Write(absl::string_view name, absl::string_view content) const {
  std::ofstream file(Path(name), std::ios::trunc);
  file << content;
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat("cannot write ", Path(name), "; is the disk full?"));
  return absl::OkStatus();
}

}  // namespace sluice::dev
