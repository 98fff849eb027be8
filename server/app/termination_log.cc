#include "app/termination_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace sluice::app {
namespace {

constexpr size_t kMostBytes = 4096;  // what Kubernetes reads

}  // namespace

void WriteTerminationLog(absl::string_view text) {
  const char* path = std::getenv("SLUICE_TERMINATION_LOG");
  const int fd = open(path != nullptr ? path : "/dev/termination-log", O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return;
  text = text.substr(0, kMostBytes);
  // A regular file takes it whole; and there is nobody left to tell that it did not.
  [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
  close(fd);
}

}  // namespace sluice::app
