#include "token/serving_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace sluice::token {
namespace {

// 0: there is none.
uint64_t Read(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return 0;
  uint64_t instance = 0;
  if (read(fd, &instance, sizeof(instance)) != sizeof(instance)) instance = 0;
  close(fd);
  return instance;
}

// In one step, so that a crash leaves the old one or the new one.
bool Write(const std::string& path, uint64_t instance) {
  const std::string draft = absl::StrCat(path, ".new");
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool written = write(fd, &instance, sizeof(instance)) == sizeof(instance);
  close(fd);
  return written && std::rename(draft.c_str(), path.c_str()) == 0;
}

}  // namespace

ServingMark::ServingMark(std::string path, uint64_t instance) : path_(std::move(path)) {
  if (path_.empty()) return;
  crashed_ = Read(path_);
  if (Write(path_, instance)) return;
  const std::string error = std::strerror(errno);
  Remove();  // it would speak of another process
  base::LogWarning("cannot write which process serves: after a crash, naks and terms that apps bring back are not sent",
                   {{"path", path_}, {"err", error}});
}

void ServingMark::Remove() const {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace sluice::token
