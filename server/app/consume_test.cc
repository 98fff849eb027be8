#include "app/consume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <sstream>

#include "app/exit_code.h"
#include "client-sdk/cpp/fake_daemon.h"
#include "nlohmann/json.hpp"

namespace sluice::app {
namespace {

using sluice::testing::FakeDaemon;
using sluice::testing::FakeStream;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class ConsumeTest : public ::testing::Test {
 protected:
  ConsumeTest() {
    plan_.address = daemon_.address();
    plan_.consumer = "orders";
  }

  std::shared_ptr<FakeStream> Begin() {
    running_ = std::async(std::launch::async, [this] { return Consume(plan_, out_, notices_); });
    auto stream = daemon_.Accept();
    stream->Opened();
    return stream;
  }
  int DrainAndEnd(FakeStream& stream, const v1::DrainReport& report = {}) {
    stream.AwaitDrain();
    stream.Drained(report);
    return running_.get();
  }

  FakeDaemon daemon_;
  ConsumePlan plan_;
  std::ostringstream out_;
  std::ostringstream notices_;
  std::future<int> running_;
};

TEST_F(ConsumeTest, PrintsAndAcksAndStopsAfterTheCount) {
  plan_.count = 2;
  auto stream = Begin();
  EXPECT_EQ(stream->AwaitOpen().credit().messages(), 2u);
  stream->Deliver(1, 3);
  stream->AwaitVerdicts(3);
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  EXPECT_EQ(out_.str(), "1 orders.1 data 1\n2 orders.2 data 2\n");
  EXPECT_THAT(stream->Count(), ElementsAre(Pair("ack", 2), Pair("nak", 1)));
  EXPECT_THAT(notices_.str(), HasSubstr("3 received, 2 acked, 1 naked, 0 terminated"));
}

TEST_F(ConsumeTest, SettlesByTheRule) {
  plan_.nak_every = 2;
  plan_.term_every = 3;
  plan_.count = 6;
  auto stream = Begin();
  stream->Deliver(1, 6);
  stream->AwaitVerdicts(6);
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  EXPECT_THAT(stream->Count(),
              ElementsAre(Pair("ack", 2), Pair("nak", 2), Pair("term sluice consume --term-every", 2)));
}

TEST_F(ConsumeTest, TextIsPrintableWhateverTheBytes) {
  plan_.count = 2;
  auto stream = Begin();
  stream->Deliver(1, 2, [](v1::Delivery& delivery) {
    delivery.set_data(delivery.id() == 1 ? "\x1b[2J\n caf\xc3\xa9" : "caf\xe9");
  });
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  EXPECT_EQ(out_.str(), "1 orders.1 \\x1b[2J\\n caf\xc3\xa9\n2 orders.2 caf\\xe9\n");
}

TEST_F(ConsumeTest, SubjectsOnly) {
  plan_.count = 1;
  plan_.print = ConsumePlan::Print::kSubject;
  auto stream = Begin();
  stream->Deliver(1);
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  EXPECT_EQ(out_.str(), "orders.1\n");
}

TEST_F(ConsumeTest, JsonCarriesAnyBytes) {
  plan_.count = 2;
  plan_.print = ConsumePlan::Print::kJson;
  plan_.json_summary = true;
  auto stream = Begin();
  stream->Deliver(1, 2, [](v1::Delivery& delivery) {
    if (delivery.id() == 2) delivery.set_data("\xff");
    v1::Header& header = *delivery.add_headers();
    header.set_name("Kind");
    header.set_value("new");
  });
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  std::istringstream lines(out_.str());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first["subject"], "orders.1");
  EXPECT_EQ(first["stream_sequence"], 1);
  EXPECT_EQ(first["timestamp"], "1970-01-01T00:00:01+00:00");
  EXPECT_EQ(first["headers"], nlohmann::json::parse(R"([{"name": "Kind", "value": "new"}])"));
  EXPECT_EQ(first["data"], "data 1");
  ASSERT_TRUE(std::getline(lines, line));
  const auto second = nlohmann::json::parse(line);
  EXPECT_EQ(second["data_base64"], "/w==");
  EXPECT_FALSE(second.contains("data"));
  EXPECT_EQ(nlohmann::json::parse(notices_.str())["acked"], 2);
}

TEST_F(ConsumeTest, StopsAfterItsTime) {
  plan_.run_for = absl::Milliseconds(10);
  auto stream = Begin();
  EXPECT_EQ(DrainAndEnd(*stream), kExitOk);
  EXPECT_THAT(notices_.str(), HasSubstr("; drained"));
}

TEST_F(ConsumeTest, TellsWhatCouldNotBeSettled) {
  plan_.count = 1;
  auto stream = Begin();
  stream->Deliver(1);
  v1::DrainReport report;
  report.set_unsettled(1);
  EXPECT_EQ(DrainAndEnd(*stream, report), kExitUnsettled);
}

TEST_F(ConsumeTest, AnUnknownConsumerIsTheUsersToMend) {
  running_ = std::async(std::launch::async, [this] { return Consume(plan_, out_, notices_); });
  daemon_.Accept()->Finish({grpc::StatusCode::NOT_FOUND, "no consumer orders; there is: payments"});
  EXPECT_EQ(running_.get(), kExitConfiguration);
  EXPECT_THAT(notices_.str(), HasSubstr("there is: payments"));
}

TEST_F(ConsumeTest, WithoutADaemonItSaysSo) {
  daemon_.Kill();
  plan_.run_for = absl::Milliseconds(10);
  EXPECT_EQ(Consume(plan_, out_, notices_), kExitUnavailable);
  EXPECT_THAT(notices_.str(), HasSubstr("is it running?"));
}

}  // namespace
}  // namespace sluice::app
