#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::dev {

// A process that this one has started. It is in a process group of its own, so that a terminal's Ctrl-C does not reach
// it; it dies with the thread that started it; and it is killed and reaped with this object. Not thread-safe.
class Child {
 public:
  struct Command {
    std::string name;               // for people: "daemon"
    std::vector<std::string> argv;  // the first is the program's path
    std::string log;                // standard error goes there, and standard output
    bool pipe_output = false;       // instead, output() reads standard output
  };

  // SLUICE_* variables are not passed on: they would outrank the configuration that is made for the run.
  static absl::StatusOr<std::unique_ptr<Child>> Start(Command command);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  const std::string& name() const { return command_.name; }
  pid_t pid() const { return pid_; }
  int output() const { return output_; }  // non-blocking; -1: not piped

  // Does nothing if it has ended.
  void Signal(int signal);
  // True while it runs; does not wait. Learns of its end.
  bool Running();
  // "exit 78", "killed by signal 9"; once it has ended.
  std::string HowItEnded() const;
  // Its exit code; nothing if a signal killed it, or it runs.
  std::optional<int> exit_code() const;
  // The last lines of its log.
  std::string LogTail(size_t lines) const;

 private:
  Child(Command command, pid_t pid, int output) : command_(std::move(command)), pid_(pid), output_(output) {}

  const Command command_;
  const pid_t pid_;
  const int output_;
  std::optional<int> wait_status_;  // as waitpid() tells; nothing while it runs
};

// The path of this program.
std::string ThisProgram();

}  // namespace sluice::dev
