#include "test/integration/handled.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace sluice::integration {

HandledWriter::HandledWriter(const std::string& path)
    : fd_(open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)) {}

HandledWriter::~HandledWriter() { close(fd_); }

void HandledWriter::Write(const Handled& handled) {
  char line[160];
  const int size = std::snprintf(line, sizeof(line), "%ld %lu %lu %lu %ld %ld\n", handled.pid, handled.number,
                                 handled.stream_sequence, handled.num_delivered, handled.stored_us, handled.handled_us);
  if (write(fd_, line, size) != size) std::abort();  // the account would be wrong
}

const std::vector<Handled>& HandledFile::Read() {
  std::ifstream file(path_);
  file.seekg(offset_);
  std::string line;
  while (std::getline(file, line) && !file.eof()) {  // at the end of the file: a line without its end
    offset_ += static_cast<int64_t>(line.size()) + 1;
    Handled handled;
    std::sscanf(line.c_str(), "%ld %lu %lu %lu %ld %ld", &handled.pid, &handled.number, &handled.stream_sequence,
                &handled.num_delivered, &handled.stored_us, &handled.handled_us);
    lines_.push_back(handled);
  }
  return lines_;
}

}  // namespace sluice::integration
