#include "app/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace sluice::app {

void FileWatch::Reset(std::vector<std::string> paths) {
  paths_ = std::move(paths);
  known_ = seen_ = Look();
}

bool FileWatch::Changed() {
  std::vector<Version> now = Look();
  const bool is_stable = now == seen_;
  seen_ = std::move(now);
  return is_stable && seen_ != known_;
}

FileWatch::Version FileWatch::VersionOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return {};
  return {true, info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

std::vector<FileWatch::Version> FileWatch::Look() const {
  std::vector<Version> versions;
  for (const std::string& path : paths_) versions.push_back(VersionOf(path));
  return versions;
}

}  // namespace sluice::app
