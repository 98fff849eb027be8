#include "app/dev/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace sluice::dev {
namespace {

constexpr int kCannotExec = 127;  // as shells say it

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "SLUICE_")) kept.emplace_back(*variable);
  }
  return kept;
}

// The life of the child up to its program. Other threads of the parent may hold locks: nothing but system calls here.
[[noreturn]] void Become(char* const* argv, char* const* environment, int input, int output, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExec);
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, 0);  // the parent's connections are its own
  execve(argv[0], argv, environment);
  static constexpr char kError[] = "cannot be executed\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kError, sizeof(kError) - 1);
  _exit(kCannotExec);
}

// A file descriptor, closed with the object.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Child>> Child::Start(Command command) {
  const auto failed = [&command](const std::string& what) {
    return absl::UnavailableError(
        absl::StrCat("cannot start the ", command.name, ": ", what, ": ", std::strerror(errno)));
  };
  const Fd input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd log(open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (input.get() < 0 || log.get() < 0) return failed(command.log);
  int pipe_ends[2] = {-1, -1};
  if (command.pipe_output && pipe2(pipe_ends, O_CLOEXEC) != 0) return failed("pipe");
  Fd read_end(pipe_ends[0]);
  const Fd write_end(pipe_ends[1]);
  if (command.pipe_output) fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

  const std::vector<char*> argv = Pointers(command.argv);
  const std::vector<std::string> variables = Environment();
  const std::vector<char*> environment = Pointers(variables);
  const int output = command.pipe_output ? write_end.get() : log.get();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) Become(argv.data(), environment.data(), input.get(), output, log.get(), parent);
  return std::unique_ptr<Child>(new Child(std::move(command), pid, read_end.release()));
}

Child::~Child() {
  if (Running()) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  if (output_ >= 0) close(output_);
}

void Child::Signal(int signal) {
  if (Running()) kill(pid_, signal);
}

bool Child::Running() {
  if (wait_status_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  wait_status_ = status;
  return false;
}

std::string Child::HowItEnded() const {
  if (!wait_status_) return "runs";
  if (WIFSIGNALED(*wait_status_)) return absl::StrCat("killed by signal ", WTERMSIG(*wait_status_));
  return absl::StrCat("exit ", WEXITSTATUS(*wait_status_));
}

std::optional<int> Child::exit_code() const {
  if (!wait_status_ || !WIFEXITED(*wait_status_)) return std::nullopt;
  return WEXITSTATUS(*wait_status_);
}

std::string Child::LogTail(size_t lines) const {
  std::ostringstream text;
  text << std::ifstream(command_.log).rdbuf();
  const std::string stripped(absl::StripAsciiWhitespace(text.str()));
  const std::vector<std::string> all = absl::StrSplit(stripped, '\n');
  return absl::StrJoin(all.end() - static_cast<ptrdiff_t>(std::min(lines, all.size())), all.end(), "\n");
}

std::string ThisProgram() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace sluice::dev
