#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::integration {

// What an app says of a message just before its verdict: "I have done it". Times are Unix times in microseconds, which
// compare between processes of one machine.
struct Handled {
  int64_t pid = 0;
  uint64_t number = 0;  // the payload: what Load calls the message
  uint64_t stream_sequence = 0;
  uint64_t num_delivered = 0;
  int64_t stored_us = 0;  // by JetStream
  int64_t handled_us = 0;
};

// Its end of the file that all apps of a test append to. One write() a line, so that the lines of several processes do
// not mix, and a line is there though its writer is killed right after. Thread-safe.
class HandledWriter {
 public:
  explicit HandledWriter(const std::string& path);
  ~HandledWriter();
  HandledWriter(const HandledWriter&) = delete;
  HandledWriter& operator=(const HandledWriter&) = delete;

  void Write(const Handled& handled);

 private:
  const int fd_;
};

// The test's end: all lines so far, in the order in which they were written.
class HandledFile {
 public:
  explicit HandledFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  // Reads what has been added since the last call.
  const std::vector<Handled>& Read();

 private:
  const std::string path_;
  int64_t offset_ = 0;
  std::vector<Handled> lines_;
};

}  // namespace sluice::integration
