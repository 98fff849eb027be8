#include "admin/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sluice::admin {
namespace {

using ::testing::HasSubstr;

Measured Example() {
  Measured measured;
  measured.version = "1.2.3";
  measured.loop.nats = {true, "nats://127.0.0.1:4222", 2, ""};
  ConsumerSnapshot consumer;
  consumer.name = "orders";
  consumer.stream = "ORDERS";
  consumer.state = core::ConsumerState::kServing;
  consumer.counters.received = 11;
  consumer.counters.acked = 7;
  consumer.gauges.num_pending = 5;
  consumer.phase = core::DrainPhase::kSettling;
  consumer.report.unsettled = 1;
  consumer.drain_elapsed = absl::Milliseconds(1500);
  consumer.process_duration.Observe(absl::Milliseconds(7));
  consumer.process_duration.Observe(absl::Seconds(20));
  measured.loop.consumers = {consumer};
  return measured;
}

TEST(Metrics, AsPrometheusReadsThem) {
  const std::string text = Serialize(Collect(Example()));
  for (const char* line : {
           "# HELP sluice_messages_received_total Messages that JetStream has delivered",
           "# TYPE sluice_messages_received_total counter\n",
           "sluice_messages_received_total{stream=\"ORDERS\",consumer=\"orders\"} 11\n",
           "sluice_messages_acked_total{stream=\"ORDERS\",consumer=\"orders\"} 7\n",
           "sluice_consumer_pending{stream=\"ORDERS\",consumer=\"orders\"} 5\n",
           "sluice_drain_state{stream=\"ORDERS\",consumer=\"orders\"} 4\n",
           "sluice_drain_unsettled_total{stream=\"ORDERS\",consumer=\"orders\"} 1\n",
           "sluice_drain_duration_seconds{stream=\"ORDERS\",consumer=\"orders\"} 1.5\n",
           "sluice_consumer_state{stream=\"ORDERS\",consumer=\"orders\",state=\"SERVING\"} 1\n",
           "sluice_consumer_state{stream=\"ORDERS\",consumer=\"orders\",state=\"NATS_DOWN\"} 0\n",
           "# TYPE sluice_process_duration_seconds histogram\n",
           "sluice_process_duration_seconds_count{stream=\"ORDERS\",consumer=\"orders\"} 2\n",
           "sluice_process_duration_seconds_bucket{stream=\"ORDERS\",consumer=\"orders\",le=\"0.005\"} 0\n",
           "sluice_process_duration_seconds_bucket{stream=\"ORDERS\",consumer=\"orders\",le=\"0.01\"} 1\n",
           "sluice_process_duration_seconds_bucket{stream=\"ORDERS\",consumer=\"orders\",le=\"10\"} 1\n",
           "sluice_process_duration_seconds_bucket{stream=\"ORDERS\",consumer=\"orders\",le=\"+Inf\"} 2\n",
           "sluice_nats_connected 1\n",
           "sluice_nats_reconnects_total 2\n",
           "sluice_config_last_reload_successful 1\n",
           "sluice_build_info{version=\"1.2.3\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("sluice_process_duration_seconds_sum{stream=\"ORDERS\",consumer=\"orders\"} 20.007"));
}

// Counters end in _total, times and sizes name their unit, labels are a known few, nothing comes twice.
TEST(Metrics, FollowTheConventions) {
  std::set<std::string> names;
  std::set<std::string> labels;
  for (const prometheus::MetricFamily& family : Collect(Example())) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_TRUE(absl::StartsWith(family.name, "sluice_") || absl::StartsWith(family.name, "process_")) << family.name;
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(absl::EndsWith(family.name, "_total"), counts) << family.name;
    EXPECT_TRUE(absl::EndsWith(family.help, ".")) << family.name;
    EXPECT_FALSE(absl::ascii_islower(family.help[0])) << family.name;
    EXPECT_EQ(absl::EndsWith(family.name, "_seconds"), absl::StrContains(family.help, "in seconds") && !counts)
        << family.name;
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) labels.insert(label.name);
    }
  }
  EXPECT_EQ(labels, (std::set<std::string>{"stream", "consumer", "state", "version"}));
}

TEST(Metrics, OfThisProcess) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : Collect(Measured())) {
    if (!absl::StartsWith(family.name, "process_")) continue;
    ASSERT_EQ(family.metric.size(), 1u);
    values[family.name] = family.metric[0].gauge.value + family.metric[0].counter.value;
  }
  EXPECT_NEAR(values["process_start_time_seconds"], absl::ToUnixSeconds(absl::Now()), 3600);
  EXPECT_GT(values["process_resident_memory_bytes"], 1 << 20);
  EXPECT_GE(values["process_open_fds"], 3);
  EXPECT_GT(values["process_max_fds"], values["process_open_fds"]);
  EXPECT_GT(values["process_cpu_seconds_total"], 0);
}

TEST(Metrics, AreDocumented) {
  std::ifstream file(SLUICE_SOURCE_DIR "/docs/metrics.md");
  ASSERT_TRUE(file.is_open());
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_EQ(content.str(), MetricsPage()) << "write it anew with: sluice metrics-doc > docs/metrics.md";
}

}  // namespace
}  // namespace sluice::admin
