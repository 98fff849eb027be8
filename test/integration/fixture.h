#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/integration/account.h"
#include "test/integration/app_process.h"
#include "test/integration/await.h"
#include "test/integration/daemon_process.h"
#include "test/integration/handled.h"
#include "test/integration/load.h"
#include "test/integration/process.h"
#include "test/support/nats_admin.h"
#include "test/support/nats_server.h"

namespace sluice::integration {

inline constexpr char kStream[] = "S";
inline constexpr char kDurable[] = "orders";
inline constexpr char kSubject[] = "s.a";

// One test: a real nats-server of the version that is the parameter, its stream, the daemon and apps in processes of
// their own, and the account of all messages. The logs are shown if it fails.
class IntegrationTest : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override;

  // False, with the test failed, if it does not start. `stream` is merged into the stream's configuration.
  bool StartServer(const nlohmann::json& stream = nlohmann::json::object());
  bool ConnectAdmin();

  // In place of the one before, which must have ended; returns when it answers.
  bool StartDaemon();
  AppProcess& StartApp(const AppOptions& options = {});
  void StartLoad(int rate) { load_ = std::make_unique<Load>(options_.nats_url, kSubject, rate); }

  // Lines that apps have written so far, and waiting for more of them, or for so many in all.
  uint64_t HandledSoFar() { return handled_.Read().size(); }
  bool AwaitHandled(uint64_t more);
  bool AwaitHandledInAll(uint64_t goal);
  // Ends the load, waits until everything is handled and settled, and strikes the balance.
  Account SettleUp(const std::vector<Excuse>& excuses = {});

  // Of the durable, on the server; -1 if it does not say.
  int64_t Told(const char* field);

  const TempDir dir_;
  HandledFile handled_{AppProcess::HandledPath(dir_.path())};
  DaemonOptions options_;
  std::unique_ptr<test::NatsServer> server_;
  std::unique_ptr<test::JetStreamAdmin> admin_;
  std::unique_ptr<Load> load_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::vector<std::unique_ptr<AppProcess>> apps_;
  std::vector<Absence> absences_;  // of one daemon after the other
};

// What every account has in common: nothing is lost, and nothing was done twice without an excuse.
#define EXPECT_CLEAN(account)                      \
  do {                                             \
    EXPECT_TRUE((account).lost.empty());           \
    EXPECT_TRUE((account).twice.empty());          \
    std::cout << "account: " << (account) << "\n"; \
  } while (false)

}  // namespace sluice::integration
