#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::app {

// Whether files have changed since one last knew them: one that was written, replaced, or swapped by way of a symlink
// as Kubernetes does with the folders of ConfigMaps and Secrets (`..data`). Whoever owns it asks now and then; a file's
// own content is not read, and no kernel resource is held, of which a node has too few.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> paths) { Reset(std::move(paths)); }

  // From now on these, and as they are now.
  void Reset(std::vector<std::string> paths);
  // True once they have changed and were the same twice in a row, so that one that is being written is left alone.
  bool Changed();

 private:
  // What tells one version of a file from another.
  struct Version {
    bool exists = false;
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    bool operator==(const Version&) const = default;
  };
  static Version VersionOf(const std::string& path);
  std::vector<Version> Look() const;

  std::vector<std::string> paths_;
  std::vector<Version> known_;
  std::vector<Version> seen_;  // at the last look
};

}  // namespace sluice::app
