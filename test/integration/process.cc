#include "test/integration/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace sluice::integration {
namespace {

namespace fs = std::filesystem;

int OpenForAppend(const std::string& path) {
  return open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
}

// After fork(): only what is safe in the child of a process with threads.
[[noreturn]] void Become(char* const* argv, int out, int err, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

std::string Beside(const char* name) { return (fs::read_symlink("/proc/self/exe").parent_path() / name).string(); }

}  // namespace

TempDir::TempDir() {
  path_ = (fs::temp_directory_path() / "sluice-it-XXXXXX").string();
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

Process::Process(const std::vector<std::string>& argv, const std::string& out, const std::string& err) {
  std::vector<std::string> arguments = argv;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const int out_fd = OpenForAppend(out);
  const int err_fd = OpenForAppend(err);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(pointers.data(), out_fd, err_fd, parent);
  close(out_fd);
  close(err_fd);
  EXPECT_GT(pid_, 0);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  EXPECT_GE(pidfd_, 0);
}

Process::~Process() {
  Signal(SIGKILL);
  Wait(absl::InfiniteDuration());
  close(pidfd_);
}

void Process::Signal(int signal) {
  if (!end_) kill(pid_, signal);  // not reaped yet, so the id is still its own
}

std::optional<int> Process::Wait(absl::Duration patience) {
  if (end_) return end_;
  pollfd ended = {pidfd_, POLLIN, 0};
  const int timeout_ms =
      patience == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(patience));
  if (poll(&ended, 1, timeout_ms) != 1) return std::nullopt;
  int status = 0;
  waitpid(pid_, &status, 0);
  end_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return end_;
}

Finished RunCommand(const std::vector<std::string>& argv, absl::Duration patience) {
  const TempDir dir;
  Process process(argv, dir / "out", dir / "err");
  Finished finished;
  finished.exit_code = process.Wait(patience);
  finished.out = ReadFile(dir / "out");
  finished.err = ReadFile(dir / "err");
  return finished;
}

std::string SluiceBinary() { return Beside("sluice"); }
std::string AppBinary() { return Beside("integration_app"); }
std::string CallerBinary() { return Beside("integration_caller"); }

}  // namespace sluice::integration
