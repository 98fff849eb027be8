#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::integration {

// Unix time.
int64_t NowMicros();

// What the daemon told an app, and when: states by their names in the client, and "draining".
struct Told {
  int64_t pid = 0;
  int64_t at_us = 0;
  std::string what;
};

// Appends a line to a file that the test reads. Thread-safe.
class ToldWriter {
 public:
  explicit ToldWriter(std::string path) : path_(std::move(path)) {}
  void Write(const std::string& what) const;

 private:
  const std::string path_;
};

std::vector<Told> ReadTold(const std::string& path);

}  // namespace sluice::integration
