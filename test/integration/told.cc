#include "test/integration/told.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>

namespace sluice::integration {

int64_t NowMicros() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

void ToldWriter::Write(const std::string& what) const {
  const std::string line = std::to_string(getpid()) + " " + std::to_string(NowMicros()) + " " + what + "\n";
  const int fd = open(path_.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (write(fd, line.data(), line.size()) < 0) std::perror("told");
  close(fd);
}

std::vector<Told> ReadTold(const std::string& path) {
  std::vector<Told> all;
  std::ifstream file(path);
  Told told;
  while (file >> told.pid >> told.at_us && std::getline(file >> std::ws, told.what) && !file.eof()) all.push_back(told);
  return all;
}

}  // namespace sluice::integration
