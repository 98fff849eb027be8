// SIGKILL of the daemon under load, again and again, with apps that come back with their tokens: nothing is lost, and
// what a handler has done is not done again.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

constexpr int kRate = 1000;
constexpr int kManyKills = 50;  // on the newest server; KILLS=n for all
constexpr int kFewKills = 8;    // on the others
constexpr int kExitConfiguration = 78;

class ResumeTest : public IntegrationTest {
 protected:
  static int Kills() {
    const char* text = std::getenv("KILLS");
    int kills = 0;
    if (text != nullptr && absl::SimpleAtoi(text, &kills)) return kills;
    return GetParam() == test::NatsServerBinaries().back() ? kManyKills : kFewKills;
  }
  bool KillDaemon() {
    daemon_->Signal(SIGKILL);
    return daemon_->Wait() == -SIGKILL;
  }
  // Of all daemons' log lines on apps that came back: the sum of one of their numbers.
  uint64_t Logged(const std::string& field) const {
    const std::string log = ReadFile(dir_ / "daemon.log");
    uint64_t sum = 0;
    for (size_t at = log.find("came back with tokens"); at != std::string::npos;
         at = log.find("came back with tokens", at + 1)) {
      const std::string line = log.substr(at, log.find('\n', at) - at);
      const size_t key = line.find(absl::StrCat("\"", field, "\":"));
      if (key != std::string::npos)
        sum += std::strtoull(line.c_str() + line.find_first_of("0123456789", key), nullptr, 10);
    }
    return sum;
  }
  // Kills and starts the daemon as often; the moments go into `excuses`.
  void KillAgainAndAgain(std::vector<Excuse>* excuses) {
    for (int kill = 0; kill < Kills(); ++kill) {
      ASSERT_TRUE(AwaitHandled(100));
      excuses->push_back({Why::kKilled, absl::Now()});
      ASSERT_TRUE(KillDaemon());
      ASSERT_TRUE(StartDaemon());  // in the place of the socket that is left
      excuses->back().until = absl::Now();
    }
    ASSERT_TRUE(AwaitHandled(100));
  }
  void Print(const Account& account) const {
    std::cout << Kills() << " kills: " << account << "; resumed " << Logged("resumed") << " (in doubt "
              << Logged("in_doubt") << "), refused " << Logged("refused") << "\n";
  }
};

// All that comes again comes to this app, whose client knows what it has done: nothing at all is run twice.
TEST_P(ResumeTest, AnAppThatOutlivesItsDaemonsDoesNothingTwice) {
  options_.ack_wait = absl::Seconds(4);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.work_ms = 2, .concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  ASSERT_NO_FATAL_FAILURE(KillAgainAndAgain(&excuses));
  const Account account = SettleUp(excuses);
  Print(account);
  EXPECT_TRUE(account.lost.empty());
  EXPECT_TRUE(account.twice.empty());
  EXPECT_TRUE(account.excused.empty());
  EXPECT_GT(Logged("resumed"), static_cast<uint64_t>(Kills()));
}

// What comes again may come to the other app: twice only what had its verdict under way at a kill.
TEST_P(ResumeTest, TwoAppsDoTwiceAtMostWhatWasUnderWay) {
  options_.ack_wait = absl::Seconds(4);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.work_ms = 2, .concurrency = 4});
  StartApp({.work_ms = 2, .concurrency = 4});
  StartLoad(kRate);
  std::vector<Excuse> excuses;
  ASSERT_NO_FATAL_FAILURE(KillAgainAndAgain(&excuses));
  const Account account = SettleUp(excuses);
  Print(account);
  EXPECT_TRUE(account.lost.empty());
  EXPECT_TRUE(account.twice.empty());
  EXPECT_GT(Logged("resumed"), static_cast<uint64_t>(Kills()));
}

// The handler is at work for longer than the ack wait, and the daemon dies meanwhile.
TEST_P(ResumeTest, WorkThatTakesLongerThanTheAckWaitSurvivesItsDaemon) {
  options_.ack_wait = absl::Seconds(2);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.work_ms = 5000, .concurrency = 4});
  StartLoad(0);
  load_->Add(4);
  ASSERT_TRUE(Eventually([&] { return daemon_->Counts().leases_extended() >= 8; }));
  ASSERT_TRUE(KillDaemon());
  ASSERT_TRUE(StartDaemon());
  const Account account = SettleUp();
  EXPECT_CLEAN(account);
  EXPECT_EQ(account.handled, 4u);
  EXPECT_EQ(account.redelivered, 0u);
  EXPECT_EQ(Logged("resumed"), 4u);
}

// Dapr's failure: "after SIGKILL its Unix socket cannot be bound again".
TEST_P(ResumeTest, DaprTheSocketOfAKilledDaemonIsBoundAgain) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  const std::string key_path = absl::StrCat(SocketPath(dir_.path()), ".key");
  const std::string key = ReadFile(key_path);
  EXPECT_EQ(key.size(), 32u);
  struct stat info {};
  ASSERT_EQ(stat(key_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_TRUE(KillDaemon());
  EXPECT_TRUE(std::filesystem::is_socket(SocketPath(dir_.path())));
  ASSERT_TRUE(StartDaemon());
  EXPECT_EQ(ReadFile(key_path), key);
  StartApp();
  StartLoad(100);
  EXPECT_TRUE(AwaitHandled(10));
  EXPECT_CLEAN(SettleUp());
}

// A lost key makes the tokens worthless, and nothing worse: the messages come again after their ack wait.
TEST_P(ResumeTest, WithoutItsKeyNoTokenHoldsAndNothingIsLost) {
  options_.ack_wait = absl::Seconds(2);
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  StartApp({.work_ms = 20, .concurrency = 4});
  StartLoad(100);
  ASSERT_TRUE(AwaitHandled(50));
  const Excuse excuse = {Why::kKilled, absl::Now(), absl::Now() + absl::Seconds(10)};
  ASSERT_TRUE(KillDaemon());
  ASSERT_TRUE(std::filesystem::remove(absl::StrCat(SocketPath(dir_.path()), ".key")));
  ASSERT_TRUE(StartDaemon());
  ASSERT_TRUE(AwaitHandled(50));
  const Account account = SettleUp({excuse});
  Print(account);
  EXPECT_TRUE(account.lost.empty());
  EXPECT_TRUE(account.twice.empty());
  EXPECT_EQ(Logged("resumed"), 0u);
  EXPECT_GT(Logged("refused"), 0u);
}

TEST_P(ResumeTest, AKeyThatOthersCanReadEndsTheStart) {
  ASSERT_TRUE(StartServer());
  const std::string path = absl::StrCat(SocketPath(dir_.path()), ".key");
  WriteFile(path, std::string(32, 'k'));
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  daemon_ = std::make_unique<DaemonProcess>(dir_.path(), options_);
  EXPECT_EQ(daemon_->Wait(), kExitConfiguration);
  EXPECT_NE(ReadFile(dir_ / "daemon.log").find("can be used by others"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, ResumeTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
