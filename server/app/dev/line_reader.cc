#include "app/dev/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::dev {

std::vector<std::string> LineReader::Read(int fd) {
  std::vector<std::string> lines;
  char buffer[16 << 10];
  while (!ended_) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    ended_ = n <= 0;
    if (n > 0) Take(buffer, static_cast<size_t>(n), lines);
  }
  return lines;
}

void LineReader::Take(const char* data, size_t size, std::vector<std::string>& lines) {
  const char* const end = data + size;
  for (const char* next; (next = std::find(data, end, '\n')) != end; data = next + 1) {
    partial_.append(data, next);
    lines.push_back(std::exchange(partial_, std::string()));
  }
  if (partial_.size() < kLongestLine) partial_.append(data, end);
}

}  // namespace sluice::dev
