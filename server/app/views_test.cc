#include "app/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

v1::Status MakeStatus() {
  v1::Status status;
  status.set_version("0.1.0");
  status.mutable_started()->set_seconds(absl::ToUnixSeconds(kStart));
  status.set_phase("SERVING");
  status.mutable_nats()->set_connected(true);
  status.mutable_nats()->set_url("nats://a:4222");
  status.mutable_nats()->set_server_version("2.10.27");
  status.mutable_nats()->set_reconnects(2);
  v1::Consumer* consumer = status.add_consumers();
  consumer->set_name("orders");
  consumer->set_stream("ORDERS");
  consumer->mutable_state()->set_kind(v1::State::KIND_SERVING);
  consumer->set_phase("SERVING");
  v1::ConsumerCounts* counts = consumer->mutable_counts();
  counts->set_streams(2);
  counts->set_in_flight(128);
  counts->set_num_pending(1'000'000);
  counts->set_delivered(6128);
  counts->set_acked(6000);
  counts->set_dead_lettered(7);
  return status;
}

TEST(StatusView, ShowsConsumersAndNats) {
  EXPECT_EQ(StatusView(MakeStatus(), kStart + absl::Seconds(60), nullptr, absl::ZeroDuration()),
            R"(sluice 0.1.0, SERVING, up 1 m 0 s
NATS: connected to nats://a:4222, nats-server 2.10.27, 2 reconnects

CONSUMER  STREAM  STATE    PHASE    STREAMS  IN FLIGHT  BUFFERED    PENDING  DELIVERED  ACKED  NAKED  TERM  DEAD  REDELIVERED  ACKED/S
orders    ORDERS  SERVING  SERVING        2        128         0  1,000,000      6,128  6,000      0     0     7            0      100
)");
}

TEST(StatusView, RatesAreSinceTheEarlierAnswer) {
  const v1::Status before = MakeStatus();
  v1::Status now = MakeStatus();
  now.mutable_consumers(0)->mutable_counts()->set_acked(6009);
  EXPECT_THAT(StatusView(now, kStart + absl::Seconds(60), &before, absl::Seconds(2)), HasSubstr(" 4.5\n"));
  // A daemon that was restarted in between counts from 0.
  now.mutable_consumers(0)->mutable_counts()->set_acked(3);
  EXPECT_THAT(StatusView(now, kStart + absl::Seconds(60), &before, absl::Seconds(2)), HasSubstr(" -\n"));
}

TEST(StatusView, SaysWhatIsWrong) {
  v1::Status status = MakeStatus();
  status.set_phase("DRAINING");
  status.mutable_drain_deadline()->set_seconds(absl::ToUnixSeconds(kStart) + 75);
  status.mutable_nats()->set_connected(false);
  status.mutable_nats()->set_last_error("connection refused");
  status.mutable_consumers(0)->mutable_state()->set_kind(v1::State::KIND_CONSUMER_MISSING);
  status.mutable_consumers(0)->mutable_state()->set_detail("stream 'ORDERS' does not exist; create it");
  const std::string view = StatusView(status, kStart + absl::Seconds(60), nullptr, absl::ZeroDuration());
  EXPECT_THAT(view, HasSubstr("NATS: not connected: connection refused\n"));
  EXPECT_THAT(view, HasSubstr("Drain: deadline in 15.00 s\n"));
  EXPECT_THAT(view, HasSubstr(" CONSUMER_MISSING "));
  EXPECT_THAT(view, HasSubstr("orders: stream 'ORDERS' does not exist; create it\n"));
}

v1::WaitDrainedResponse MakeReport() {
  v1::WaitDrainedResponse response;
  v1::PhaseDuration* phase = response.mutable_report()->add_phases();
  phase->set_phase("FENCING");
  phase->mutable_duration()->set_nanos(12'300'000);
  phase = response.mutable_report()->add_phases();
  phase->set_phase("SETTLING");
  phase->mutable_duration()->set_seconds(2);
  for (const char* name : {"a", "b"}) {
    v1::ConsumerDrainReport* consumer = response.add_consumers();
    consumer->set_consumer(name);
    consumer->mutable_report()->set_awaited(5);
    consumer->mutable_report()->set_acked(5);
    consumer->mutable_report()->set_dead_lettered(2);
  }
  response.mutable_report()->set_awaited(10);
  response.mutable_report()->set_acked(10);
  response.mutable_report()->set_dead_lettered(4);
  return response;
}

TEST(DrainView, ShowsPhasesAndMessages) {
  EXPECT_EQ(DrainView(MakeReport()), R"(PHASE        TOOK
FENCING   12.3 ms
SETTLING   2.00 s
total      2.01 s

CONSUMER  AWAITED  ACKED  TERM  NAKED  EXPIRED  LATE  RELEASED  DEAD  UNSETTLED
a               5      5     0      0        0     0         0     2          0
b               5      5     0      0        0     0         0     2          0
total          10     10     0      0        0     0         0     4          0
)");
}

TEST(DrainView, SaysWhatIsWrong) {
  v1::WaitDrainedResponse response = MakeReport();
  EXPECT_THAT(DrainView(response), Not(HasSubstr("deadline")));
  response.mutable_report()->set_deadline_exceeded(true);
  response.mutable_report()->set_unsettled(1);
  EXPECT_THAT(DrainView(response), HasSubstr("Apps still held messages at the deadline"));
  EXPECT_THAT(DrainView(response), HasSubstr("What is unsettled waits for its ack wait"));
}

TEST(JsonView, HasTheContractsNamesAndZeros) {
  const auto json = nlohmann::json::parse(JsonView(MakeStatus(), false));
  EXPECT_EQ(json["nats"]["server_version"], "2.10.27");
  EXPECT_EQ(json["consumers"][0]["counts"]["naked"], "0");
  EXPECT_EQ(json["consumers"][0]["state"]["kind"], "KIND_SERVING");
  const std::string line = JsonView(MakeStatus(), true);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace sluice::app
