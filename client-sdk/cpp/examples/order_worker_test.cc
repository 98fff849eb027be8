// The example worker: orders that come twice, from a worker that is killed, are stored once.
#include <signal.h>
#include <sqlite3.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

constexpr int kOrders = 400;
constexpr int kAgain = 10;  // every tenth is published twice
constexpr int kCents = 5;

// Beside the test, as all programs are.
std::string WorkerBinary() {
  const std::string sluice = SluiceBinary();
  return sluice.substr(0, sluice.rfind('/') + 1) + "sluice_order_worker";
}

class OrderWorkerTest : public IntegrationTest {
 protected:
  void SetUp() override {
    options_.more = "    resume_window: 300ms\n";
    ASSERT_TRUE(StartServer());
    ASSERT_TRUE(StartDaemon());
  }

  void Publish(const std::string& order) { EXPECT_TRUE(admin_->Publish(kSubject, order).ok()); }
  void PublishOrder(int number) {
    Publish(absl::StrCat(R"({"id": "o-)", number, R"(", "customer": "ada", "cents": )", kCents, "}"));
  }
  std::unique_ptr<Process> StartWorker() {
    const std::vector<std::string> argv = {"/usr/bin/env",
                                           absl::StrCat("SLUICE_ADDRESS=unix:", SocketPath(dir_.path())),
                                           WorkerBinary(), dir_ / "orders.db"};
    return std::make_unique<Process>(argv, dir_ / "app.log", dir_ / "app.log");
  }
  // Of a query with one number; -1: there is no such table yet.
  int64_t Ask(const std::string& query) {
    sqlite3* db = nullptr;
    sqlite3_stmt* statement = nullptr;
    int64_t answer = -1;
    sqlite3_open_v2((dir_ / "orders.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, query.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      answer = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
  }
  bool AwaitOrders(int64_t count) {
    const bool there = Eventually([&] { return Ask("SELECT count(*) FROM orders") >= count; });
    EXPECT_TRUE(there) << Ask("SELECT count(*) FROM orders") << " orders, not " << count;
    return there;
  }
};

TEST_P(OrderWorkerTest, StoresEachOrderOnceThoughItIsKilled) {
  auto worker = StartWorker();
  for (int number = 1; number <= kOrders / 2; ++number) {
    PublishOrder(number);
    if (number % kAgain == 0) PublishOrder(number);
  }
  ASSERT_TRUE(AwaitOrders(1));
  worker->Signal(SIGKILL);
  EXPECT_EQ(worker->Wait(kPatience), -SIGKILL);
  worker = StartWorker();
  for (int number = kOrders / 2 + 1; number <= kOrders; ++number) PublishOrder(number);
  ASSERT_TRUE(AwaitOrders(kOrders));
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0 && Told("num_pending") == 0; }));
  worker->Signal(SIGTERM);
  EXPECT_EQ(worker->Wait(kPatience), 0);
  EXPECT_EQ(Ask("SELECT count(*) FROM orders"), kOrders);
  EXPECT_EQ(Ask("SELECT sum(cents) FROM orders"), kOrders * kCents);
}

TEST_P(OrderWorkerTest, RejectsWhatIsNoOrder) {
  auto worker = StartWorker();
  for (const char* text :
       {"no JSON", R"({"customer": "ada", "cents": 1})", R"({"id": "o-2", "customer": "ada", "cents": "x"})"}) {
    Publish(text);
  }
  PublishOrder(1);
  ASSERT_TRUE(AwaitOrders(1));
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0 && Told("num_pending") == 0; }));
  EXPECT_EQ(Told("num_redelivered"), 0);
  worker->Signal(SIGTERM);
  EXPECT_EQ(worker->Wait(kPatience), 0);
  EXPECT_EQ(Ask("SELECT count(*) FROM orders"), 1);
}

INSTANTIATE_TEST_SUITE_P(Servers, OrderWorkerTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
