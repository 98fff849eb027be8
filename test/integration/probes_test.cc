// Probes and metrics of the real binary, with a real nats-server.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "test/integration/fixture.h"
#include "test/support/http.h"

namespace sluice::integration {
namespace {

constexpr char kLabels[] = "{stream=\"S\",consumer=\"orders\"}";

class ProbesTest : public IntegrationTest {
 protected:
  bool Start() {
    options_.more = "admin: {listen: '127.0.0.1:0'}\n";
    return StartServer() && StartDaemon() && FindPort();
  }
  // The line comes a moment later than the answer.
  bool FindPort() {
    port_ = 0;
    return Eventually([this] {
      for (absl::string_view line : absl::StrSplit(daemon_->Log(), '\n', absl::SkipEmpty())) {
        const auto json = nlohmann::json::parse(line, nullptr, false);
        if (json.is_object() && json.value("msg", "") == "serving") port_ = std::stoi(json.value("admin_port", "0"));
      }
      return port_ > 0;
    });
  }
  int Probe(const std::string& path) { return test::HttpGet(port_, path).status; }
  // Of the consumer; -1 if there is none.
  double Metric(const std::string& name) {
    const std::string body = test::HttpGet(port_, "/metrics").body;
    const std::string key = name + kLabels + " ";
    for (absl::string_view line : absl::StrSplit(body, '\n')) {
      double value = 0;
      if (absl::ConsumePrefix(&line, key) && absl::SimpleAtod(line, &value)) return value;
    }
    ADD_FAILURE() << name << " is not in\n" << body;
    return -1;
  }

  int port_ = 0;
};

TEST_P(ProbesTest, ReadinessFollowsNatsAndNothingElseDoes) {
  ASSERT_TRUE(Start());
  EXPECT_TRUE(Eventually([this] { return Probe("/readyz") == 200; }));
  server_->Stop();
  EXPECT_TRUE(Eventually([this] { return Probe("/readyz") == 503; }));
  EXPECT_EQ(Probe("/startupz"), 200);
  EXPECT_EQ(Probe("/livez"), 200);
  ASSERT_TRUE(server_->Restart().ok());
  EXPECT_TRUE(Eventually([this] { return Probe("/readyz") == 200; }));
}

TEST_P(ProbesTest, MetricsCountWhatHappened) {
  ASSERT_TRUE(Start());
  AppProcess& app = StartApp({.work_ms = 6, .concurrency = 4, .credit = 32});
  StartLoad(300);
  ASSERT_TRUE(AwaitHandled(600));
  const Account account = SettleUp();
  EXPECT_CLEAN(account);
  const auto published = static_cast<double>(account.published);
  EXPECT_EQ(Metric("sluice_messages_received_total"), published);
  EXPECT_EQ(Metric("sluice_messages_delivered_total"), published);
  EXPECT_EQ(Metric("sluice_messages_acked_total"), published);
  EXPECT_EQ(Metric("sluice_messages_redelivered_total"), 0);
  EXPECT_EQ(Metric("sluice_process_duration_seconds_count"), published);
  EXPECT_GE(Metric("sluice_process_duration_seconds_sum"), 0.006 * published) << "each took 6 ms";
  EXPECT_GE(Metric("sluice_ack_duration_seconds_count"), 2) << "one in 256 is asked about";
  EXPECT_EQ(Metric("sluice_in_flight_messages"), 0);
  EXPECT_EQ(Metric("sluice_app_streams"), 1);
  EXPECT_EQ(Metric("sluice_drain_state"), 0);
  app.Terminate();
  EXPECT_TRUE(Eventually([this] { return Metric("sluice_app_streams") == 0; }));
}

// The alert on a backlog must not need an app.
TEST_P(ProbesTest, TheBacklogIsThereWithoutAnApp) {
  ASSERT_TRUE(Start());
  StartLoad(1000);
  ASSERT_TRUE(Eventually([this] { return load_->published() >= 100; }));
  const auto published = static_cast<double>(load_->Stop());
  ASSERT_EQ(daemon_->Terminate(), 0);
  ASSERT_TRUE(StartDaemon() && FindPort());
  EXPECT_TRUE(Eventually([&] { return Metric("sluice_consumer_pending") == published; }));
}

INSTANTIATE_TEST_SUITE_P(All, ProbesTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
