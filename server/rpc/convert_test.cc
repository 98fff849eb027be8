#include "rpc/convert.h"

#include <string>

#include "gtest/gtest.h"

namespace sluice::rpc {
namespace {

TEST(ConvertTest, TimesKeepTheirNanoseconds) {
  const auto timestamp = ToProto(absl::FromUnixNanos(1'700'000'000'000'000'001));
  EXPECT_EQ(timestamp.seconds(), 1'700'000'000);
  EXPECT_EQ(timestamp.nanos(), 1);
  const auto before_1970 = ToProto(absl::FromUnixNanos(-1));
  EXPECT_EQ(before_1970.seconds(), -1);
  EXPECT_EQ(before_1970.nanos(), 999'999'999);
  const auto duration = ToProto(absl::Milliseconds(1500));
  EXPECT_EQ(duration.seconds(), 1);
  EXPECT_EQ(duration.nanos(), 500'000'000);
}

TEST(ConvertTest, ADeliveryKeepsEveryByte) {
  const std::string binary("\xff\x00\xc3(", 4);
  core::Delivery delivery;
  delivery.id = 7;
  delivery.message.subject = binary;
  delivery.message.headers = {{binary, ""}, {"k", "1"}, {"k", "2"}};
  delivery.message.data = binary;
  delivery.message.stream_sequence = 1;
  delivery.message.consumer_sequence = 2;
  delivery.message.num_delivered = 2;
  delivery.failures = 1;
  delivery.key = "eu";
  delivery.message.num_pending = 4;
  delivery.message.timestamp_ns = 5'000'000'006;

  v1::Delivery out;
  ToProto(delivery, &out);
  EXPECT_EQ(out.id(), 7);
  EXPECT_EQ(out.subject(), binary);
  ASSERT_EQ(out.headers_size(), 3);
  EXPECT_EQ(out.headers(0).name(), binary);
  EXPECT_EQ(out.headers(0).value(), "");
  EXPECT_EQ(out.headers(1).value(), "1");
  EXPECT_EQ(out.headers(2).value(), "2");
  EXPECT_EQ(out.data(), binary);
  EXPECT_EQ(out.stream_sequence(), 1);
  EXPECT_EQ(out.consumer_sequence(), 2);
  EXPECT_EQ(out.num_delivered(), 3) << "what was retried from here counts";
  EXPECT_EQ(out.key(), "eu");
  EXPECT_EQ(out.num_pending(), 4);
  EXPECT_EQ(out.timestamp().seconds(), 5);
  EXPECT_EQ(out.timestamp().nanos(), 6);

  v1::Delivery parsed;
  ASSERT_TRUE(parsed.ParseFromString(out.SerializeAsString()));
  EXPECT_EQ(parsed.subject(), binary);
}

TEST(ConvertTest, AReusedDeliveryKeepsNothingOfTheLast) {
  core::Delivery first;
  first.message.subject = "a.long.subject";
  first.message.headers = {{"h", "v"}};
  first.message.data = "data";
  v1::Delivery out;
  ToProto(first, &out);
  ToProto(core::Delivery(), &out);
  EXPECT_EQ(out.subject(), "");
  EXPECT_EQ(out.headers_size(), 0);
  EXPECT_EQ(out.data(), "");
}

TEST(ConvertTest, Opened) {
  core::OpenedNotice notice;
  notice.max_lease = absl::Minutes(10);
  notice.credit = {5, 6};
  notice.max_batch = 7;
  notice.resumed = {8};
  notice.stream = "S";
  notice.durable = "D";
  v1::ConsumeResponse out;
  ToProto(notice, "sluice/1.2.3", &out);
  const v1::Opened& opened = out.opened();
  EXPECT_EQ(opened.server(), "sluice/1.2.3");
  EXPECT_FALSE(opened.has_ack_wait());  // not known yet
  EXPECT_EQ(opened.max_lease().seconds(), 600);
  EXPECT_EQ(opened.credit().messages(), 5);
  EXPECT_EQ(opened.credit().bytes(), 6);
  EXPECT_EQ(opened.max_batch(), 7);
  ASSERT_EQ(opened.resumed_size(), 1);
  EXPECT_EQ(opened.resumed(0).held_id(), 8);
  EXPECT_EQ(opened.resumed(0).id(), 8);
  EXPECT_EQ(opened.stream(), "S");
  EXPECT_EQ(opened.durable(), "D");

  notice.ack_wait = absl::Seconds(30);
  ToProto(notice, "", &out);
  EXPECT_EQ(out.opened().ack_wait().seconds(), 30);
}

TEST(ConvertTest, OtherNotices) {
  v1::ConsumeResponse out;
  ToProto(core::SettleResultsNotice{{{core::SettleOutcome::kNotHeld, {1, 2}, "gone"}}}, "", &out);
  ASSERT_EQ(out.settle_results().results_size(), 1);
  EXPECT_EQ(out.settle_results().results(0).outcome(), v1::SettleResult::OUTCOME_NOT_HELD);
  EXPECT_EQ(out.settle_results().results(0).ids_size(), 2);
  EXPECT_EQ(out.settle_results().results(0).detail(), "gone");

  ToProto(core::StateNotice{core::ConsumerState::kPaused, "until noon"}, "", &out);
  EXPECT_EQ(out.state().kind(), v1::State::KIND_PAUSED);
  EXPECT_EQ(out.state().detail(), "until noon");

  ToProto(core::LeasesEndedNotice{{3, 4}}, "", &out);
  EXPECT_EQ(out.leases_ended().ids(1), 4);

  ToProto(core::DrainingNotice{core::DrainReason::kApp, absl::FromUnixSeconds(9)}, "", &out);
  EXPECT_EQ(out.draining().reason(), v1::Draining::REASON_APP);
  EXPECT_EQ(out.draining().deadline().seconds(), 9);
}

TEST(ConvertTest, DrainReport) {
  core::DrainedNotice notice;
  notice.report = {.awaited = 1,
                   .acked = 2,
                   .terminated = 3,
                   .naked = 4,
                   .expired = 5,
                   .late = 6,
                   .released = 7,
                   .unsettled = 8,
                   .dead_lettered = 9,
                   .deadline_exceeded = true};
  notice.report.phases[static_cast<size_t>(core::DrainPhase::kSettling)] = absl::Seconds(2);
  v1::ConsumeResponse out;
  ToProto(notice, "", &out);
  const v1::DrainReport& report = out.drained().report();
  EXPECT_EQ(report.awaited(), 1);
  EXPECT_EQ(report.acked(), 2);
  EXPECT_EQ(report.terminated(), 3);
  EXPECT_EQ(report.naked(), 4);
  EXPECT_EQ(report.expired(), 5);
  EXPECT_EQ(report.late(), 6);
  EXPECT_EQ(report.released(), 7);
  EXPECT_EQ(report.unsettled(), 8);
  EXPECT_EQ(report.dead_lettered(), 9);
  EXPECT_TRUE(report.deadline_exceeded());
  ASSERT_EQ(report.phases_size(), 5);
  EXPECT_EQ(report.phases(0).phase(), "QUIESCING");
  EXPECT_EQ(report.phases(3).phase(), "SETTLING");
  EXPECT_EQ(report.phases(3).duration().seconds(), 2);
  EXPECT_EQ(report.phases(4).phase(), "CONFIRMING");
}

TEST(ConvertTest, StatusKeepsCodeAndSentence) {
  const grpc::Status status = ToGrpc(absl::NotFoundError("no consumer 'x'"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no consumer 'x'");
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace sluice::rpc
