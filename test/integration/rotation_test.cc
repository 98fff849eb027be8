// Secrets and configurations that change under a running daemon, as the kubelet changes them.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

namespace fs = std::filesystem;

struct NKey {
  const char* seed;
  const char* user;
};
constexpr NKey kOld = {"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
                       "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"};
constexpr NKey kNew = {"SUAP2PYX2L7BJPEMAWKQQ5Q5VCWVW7JFBY5FV77UKOZRXF53FOABUPYDSY",
                       "UBOS2XITWSZANSFPAH6WABEOMC4RMBOWJOVX7Z33XS2IHEE44I2C4TW7"};

// The test itself needs no login.
std::string Admitting(const std::vector<NKey>& keys) {
  std::string users = "{ user: test, password: test }";
  for (const NKey& key : keys) absl::StrAppend(&users, ", { nkey: ", key.user, " }");
  return absl::StrCat("no_auth_user: test\nauthorization { users: [ ", users, " ] }");
}

std::string Admitting(const std::vector<std::string>& names) {
  std::string users = "{ user: test, password: test }";
  for (const std::string& name : names) absl::StrAppend(&users, ", { user: ", name, ", password: \"of ", name, "\" }");
  return absl::StrCat("no_auth_user: test\nauthorization { users: [ ", users, " ] }");
}

class RotationTest : public IntegrationTest {
 protected:
  // A Secret as a volume: its keys are links by way of `..data`, which is swapped.
  void MountSecret(const std::string& name, const std::map<std::string, std::string>& keys) {
    const fs::path secret = fs::path(dir_.path()) / "secret";
    const fs::path version = secret / absl::StrCat("..", name);
    fs::create_directories(version);
    fs::remove(secret / "..data_tmp");
    fs::create_directory_symlink(version.filename(), secret / "..data_tmp");
    for (const auto& [key, value] : keys) std::ofstream(version / key) << value << "\n";
    fs::rename(secret / "..data_tmp", secret / "..data");
    for (const auto& [key, value] : keys) {
      if (!fs::exists(secret / key)) fs::create_symlink(fs::path("..data") / key, secret / key);
    }
  }
  void MountSecret(const NKey& key) { MountSecret(key.user, {{"seed", key.seed}}); }
  void MountSecret(const std::string& user) { MountSecret(user, {{"user", user}, {"password", "of " + user}}); }
  bool Start(const std::vector<NKey>& admitted) {
    MountSecret(kOld);
    return StartWith(Admitting(admitted), absl::StrCat("nkey_seed_file: ", dir_ / "secret/seed"));
  }
  bool StartWith(const std::string& server_config, const std::string& login) {
    auto server = test::NatsServer::Start({.binary = GetParam(), .config = server_config});
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return false;
    server_ = *std::move(server);
    options_.nats_url = server_->url();
    if (!ConnectAdmin() || !admin_->CreateStream(kStream, {"s.>"}).ok()) return false;
    yaml_ = options_.ToYaml(SocketPath(dir_.path()));
    yaml_.replace(0, sizeof("nats:") - 1, absl::StrCat("nats:\n  ", login));
    absl::StrAppend(&yaml_, "reload: {interval: 50ms}\n");
    daemon_ = std::make_unique<DaemonProcess>(dir_.path(), yaml_);
    const absl::Status ready = daemon_->AwaitReady();
    EXPECT_TRUE(ready.ok()) << ready;
    return ready.ok();
  }
  bool AwaitLog(const std::string& what) {
    return Eventually([&] { return daemon_->Log().find(what) != std::string::npos; });
  }
  void ExpectNobodyNoticed(const Account& account) {
    EXPECT_CLEAN(account);
    EXPECT_TRUE(account.late.empty());
    EXPECT_EQ(account.redelivered, 0u);
    EXPECT_EQ(daemon_->Status().nats().reconnects(), 0u);
  }

  // After the drain.
  void ExpectAllIsDoneByASuccessor() {
    EXPECT_EQ(daemon_->Reported("unsettled"), 0);
    apps_.clear();
    daemon_ = std::make_unique<DaemonProcess>(dir_.path(), yaml_);
    ASSERT_TRUE(daemon_->AwaitReady().ok());
    StartApp();
    const Account account = SettleUp();
    EXPECT_CLEAN(account);
    EXPECT_TRUE(account.late.empty());
  }

  std::string yaml_;
};

TEST_P(RotationTest, ANewSecretUnderLoad) {
  ASSERT_TRUE(Start({kOld, kNew}));
  StartApp({.work_ms = 5, .concurrency = 8, .credit = 64});
  StartLoad(1000);
  ASSERT_TRUE(AwaitHandled(500));
  MountSecret(kNew);
  ASSERT_TRUE(AwaitLog("the configuration is reloaded"));
  ASSERT_TRUE(AwaitHandled(2000));
  ASSERT_TRUE(server_->Reload(Admitting({kNew})).ok()) << "the old one is revoked";
  ASSERT_TRUE(AwaitHandled(1000));
  ExpectNobodyNoticed(SettleUp());
}

// A user has one password: its successor, too, is to be found in the Secret.
TEST_P(RotationTest, AnotherUserWithAPasswordUnderLoad) {
  MountSecret("blue");
  const std::string login =
      absl::StrCat("user_file: ", dir_ / "secret/user", "\n  password_file: ", dir_ / "secret/password");
  ASSERT_TRUE(StartWith(Admitting(std::vector<std::string>{"blue", "green"}), login));
  StartApp({.work_ms = 5, .concurrency = 8, .credit = 64});
  StartLoad(1000);
  ASSERT_TRUE(AwaitHandled(500));
  MountSecret("green");
  ASSERT_TRUE(AwaitLog("the configuration is reloaded"));
  ASSERT_TRUE(AwaitHandled(500));
  ASSERT_TRUE(server_->Reload(Admitting(std::vector<std::string>{"green"})).ok()) << "the old one is revoked";
  ASSERT_TRUE(AwaitHandled(500));
  ExpectNobodyNoticed(SettleUp());
}

// Back and forth, quickly, with many pulls open at the moment of a move.
TEST_P(RotationTest, ManyRotationsLoseNothing) {
  ASSERT_TRUE(Start({kOld, kNew}));
  StartApp({.work_ms = 1, .concurrency = 4, .credit = 16});
  StartLoad(500);
  for (int i = 0; i < 10; ++i) {
    const size_t seen = daemon_->Log().size();
    MountSecret(i % 2 == 0 ? kNew : kOld);
    ASSERT_TRUE(
        Eventually([&] { return daemon_->Log().find("the configuration is reloaded", seen) != std::string::npos; }));
    ASSERT_TRUE(AwaitHandled(50));
  }
  ExpectNobodyNoticed(SettleUp());
}

// The Secret is there before the server knows of it.
TEST_P(RotationTest, ASecretThatIsNotValidYet) {
  ASSERT_TRUE(Start({kOld}));
  StartApp();
  StartLoad(500);
  MountSecret(kNew);
  ASSERT_TRUE(AwaitLog("cannot connect to NATS as it is configured now, trying on"));
  ASSERT_TRUE(AwaitHandled(500));
  ASSERT_TRUE(server_->Reload(Admitting({kOld, kNew})).ok());
  ASSERT_TRUE(AwaitLog("the configuration is reloaded"));
  ASSERT_TRUE(AwaitHandled(500));
  ExpectNobodyNoticed(SettleUp());
}

// The other way round: the server refuses the one that serves, and the kubelet has not brought its successor yet.
TEST_P(RotationTest, TheOldOneIsRefusedFirst) {
  ASSERT_TRUE(Start({kOld}));
  StartApp({.work_ms = 5, .concurrency = 8, .credit = 64});
  StartLoad(500);
  ASSERT_TRUE(AwaitHandled(500));
  ASSERT_TRUE(server_->Reload(Admitting({kNew})).ok());
  ASSERT_TRUE(Eventually([&] { return !daemon_->Status().nats().connected(); }));
  MountSecret(kNew);
  ASSERT_TRUE(AwaitLog("the configuration is reloaded"));
  ASSERT_TRUE(AwaitHandled(500));
  const Account account = SettleUp();
  EXPECT_CLEAN(account);
  EXPECT_TRUE(account.late.empty());
}

TEST_P(RotationTest, ADrainRightAfterARotation) {
  ASSERT_TRUE(Start({kOld, kNew}));
  StartApp({.work_ms = 5, .concurrency = 8, .credit = 64});
  StartLoad(1000);
  ASSERT_TRUE(AwaitHandled(500));
  MountSecret(kNew);
  ASSERT_TRUE(AwaitLog("moved to a new connection to NATS"));
  EXPECT_EQ(daemon_->Terminate(), 0);
  ExpectAllIsDoneByASuccessor();
}

// The server refuses the login that the drain began with, before the kubelet has brought its successor.
TEST_P(RotationTest, ADrainWithoutALoginTakesTheNextOne) {
  ASSERT_TRUE(Start({kOld}));
  StartApp({.work_ms = 5, .concurrency = 8, .credit = 64});
  StartLoad(500);
  ASSERT_TRUE(AwaitHandled(500));
  ASSERT_TRUE(server_->Reload(Admitting({kNew})).ok());
  ASSERT_TRUE(Eventually([&] { return !daemon_->Status().nats().connected(); }));
  daemon_->Signal(SIGTERM);
  ASSERT_TRUE(AwaitLog("terminating"));
  MountSecret(kNew);
  EXPECT_EQ(daemon_->Wait(), 0);
  ExpectAllIsDoneByASuccessor();
}

INSTANTIATE_TEST_SUITE_P(All, RotationTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
