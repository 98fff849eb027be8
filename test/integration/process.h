#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sluice::integration {

// A folder of the test's own, gone with it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& text);

// A process that the test has started; it dies with the test, and with this object. Not thread-safe.
class Process {
 public:
  // Its output is appended to the two files.
  Process(const std::vector<std::string>& argv, const std::string& out, const std::string& err);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Does nothing if it has ended.
  void Signal(int signal);
  // Waits for its end. Its exit code, or -signal if one killed it; nothing if it still runs after `patience`.
  std::optional<int> Wait(absl::Duration patience);

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> end_;
};

// Runs a command to its end.
struct Finished {
  std::optional<int> exit_code;  // nothing: it did not end in time, and was killed
  std::string out;
  std::string err;
};
Finished RunCommand(const std::vector<std::string>& argv, absl::Duration patience = absl::Seconds(40));

// The programs under test, beside the test itself.
std::string SluiceBinary();
std::string CallerBinary();
std::string AppBinary();

}  // namespace sluice::integration
