#include "app/dev/child.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "app/dev/workspace.h"
#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

class ChildTest : public ::testing::Test {
 protected:
  std::unique_ptr<Child> StartShell(const std::string& script, bool pipe_output = false) {
    absl::StatusOr<std::unique_ptr<Child>> child = Child::Start({.name = "child",
                                                                 .argv = {"/bin/sh", "-c", script},
                                                                 .log = workspace_.Path("log"),
                                                                 .pipe_output = pipe_output});
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }

  // Waits for its end without reaping it.
  static void WaitForEnd(const Child& child) {
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
  }

  static std::string ReadAll(int fd) {
    std::string all;
    for (char buffer[256];;) {
      pollfd poll_fd = {fd, POLLIN, 0};
      EXPECT_EQ(poll(&poll_fd, 1, 10'000), 1);
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n <= 0) return all;
      all.append(buffer, static_cast<size_t>(n));
    }
  }

  const Workspace workspace_ = *Workspace::Make(/*keep=*/false);
};

TEST_F(ChildTest, TellsHowItEnded) {
  const auto child = StartShell("exit 7");
  WaitForEnd(*child);
  EXPECT_FALSE(child->Running());
  EXPECT_EQ(child->exit_code(), 7);
  EXPECT_EQ(child->HowItEnded(), "exit 7");
}

TEST_F(ChildTest, ASignalIsNoExitCode) {
  const auto child = StartShell("sleep 60");
  EXPECT_TRUE(child->Running());
  EXPECT_EQ(child->exit_code(), std::nullopt);
  child->Signal(SIGTERM);
  WaitForEnd(*child);
  EXPECT_FALSE(child->Running());
  EXPECT_EQ(child->exit_code(), std::nullopt);
  EXPECT_EQ(child->HowItEnded(), "killed by signal 15");
}

TEST_F(ChildTest, OutputComesThroughThePipeAndErrorsGoToTheLog) {
  const auto child = StartShell("echo one; echo oops >&2; echo two", /*pipe_output=*/true);
  EXPECT_EQ(ReadAll(child->output()), "one\ntwo\n");
  WaitForEnd(*child);
  EXPECT_EQ(child->LogTail(5), "oops");
}

TEST_F(ChildTest, TheTailIsTheLastLines) {
  const auto child = StartShell("for i in 1 2 3 4; do echo line $i; done");
  WaitForEnd(*child);
  EXPECT_EQ(child->LogTail(2), "line 3\nline 4");
  EXPECT_EQ(child->LogTail(9), "line 1\nline 2\nline 3\nline 4");
}

TEST_F(ChildTest, AMissingProgramEndsAsInAShell) {
  absl::StatusOr<std::unique_ptr<Child>> child =
      Child::Start({.name = "child", .argv = {"/no/such/program"}, .log = workspace_.Path("log")});
  ASSERT_TRUE(child.ok()) << child.status();
  WaitForEnd(**child);
  EXPECT_FALSE((*child)->Running());
  EXPECT_EQ((*child)->exit_code(), 127);
  EXPECT_EQ((*child)->LogTail(1), "cannot be executed");
}

TEST_F(ChildTest, IsInAGroupOfItsOwnAndDiesWithItsObject) {
  auto child = StartShell("echo started; exec sleep 60", /*pipe_output=*/true);
  pollfd poll_fd = {child->output(), POLLIN, 0};
  ASSERT_EQ(poll(&poll_fd, 1, 10'000), 1);
  const pid_t pid = child->pid();
  EXPECT_EQ(getpgid(pid), pid);
  child.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(ChildTest, SluicesVariablesStayBehind) {
  setenv("SLUICE_CHILD_TEST", "x", 1);
  setenv("CHILD_TEST", "y", 1);
  const auto child = StartShell("echo \"${SLUICE_CHILD_TEST-none} $CHILD_TEST\"", /*pipe_output=*/true);
  EXPECT_EQ(ReadAll(child->output()), "none y\n");
}

}  // namespace
}  // namespace sluice::dev
