#pragma once

#include <string>
#include <vector>

namespace sluice::dev {

// Takes lines from a non-blocking descriptor, which it does not own.
class LineReader {
 public:
  // A writer of longer lines is not ours: they are cut.
  static constexpr size_t kLongestLine = 64 << 10;  // bytes

  // The complete lines that are there now.
  std::vector<std::string> Read(int fd);
  // Nothing comes any more: the writer is gone, or reading failed.
  bool ended() const { return ended_; }

 private:
  void Take(const char* data, size_t size, std::vector<std::string>& lines);

  std::string partial_;
  bool ended_ = false;
};

}  // namespace sluice::dev
