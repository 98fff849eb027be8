#include "rpc/requests.h"

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Open MinimalOpen() {
  v1::Open open;
  open.set_consumer("orders");
  return open;
}

struct Refusal {
  std::string name;
  std::function<void(v1::Open*)> change;
  absl::StatusCode code;
  std::string starts_with;  // the field, by its path
};

void PrintTo(const Refusal& row, std::ostream* out) { *out << row.name; }

class OpenRefusedTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(OpenRefusedTest, NamesTheField) {
  v1::Open open = MinimalOpen();
  GetParam().change(&open);
  const absl::Status status = ReadOpen(open).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_THAT(std::string(status.message()), StartsWith(GetParam().starts_with));
}

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

INSTANTIATE_TEST_SUITE_P(
    Rows, OpenRefusedTest,
    ::testing::Values(
        Refusal{"NoConsumer", [](v1::Open* open) { open->clear_consumer(); }, kInvalid, "open.consumer: "},
        Refusal{"ClientId", [](v1::Open* open) { open->set_client_id(std::string(129, 'x')); }, kInvalid,
                "open.client_id: 129 bytes; at most 128"},
        Refusal{"MaxBatch", [](v1::Open* open) { open->set_max_batch(257); }, kInvalid, "open.max_batch: 257"},
        Refusal{"CreditMessages", [](v1::Open* open) { open->mutable_credit()->set_messages((1u << 20) + 1); },
                kInvalid, "open.credit.messages: 1048577; at most 1048576"},
        Refusal{"CreditBytes", [](v1::Open* open) { open->mutable_credit()->set_bytes((1ull << 30) + 1); }, kInvalid,
                "open.credit.bytes: 1073741825; at most 1073741824"},
        Refusal{"HugeCreditBytes", [](v1::Open* open) { open->mutable_credit()->set_bytes(1ull << 63); }, kInvalid,
                "open.credit.bytes: 9223372036854775808"},
        Refusal{"Resume",
                [](v1::Open* open) {
                  for (int i = 0; i <= kMaxResume; ++i) open->add_resume();
                },
                kInvalid, "open.resume: 1048577 entries"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadOpenTest, Defaults) {
  const auto request = ReadOpen(MinimalOpen());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->consumer, "orders");
  EXPECT_EQ(request->credit.messages, 256);
  EXPECT_EQ(request->credit.bytes, 8u << 20);
  EXPECT_EQ(request->max_batch, 256);
  EXPECT_TRUE(request->resume.empty());
  EXPECT_FALSE(request->confirm_settlements);
}

// With a token the id is the app's own affair, and must not be taken for one of this daemon's.
TEST(ReadOpenTest, TokensAndIdsAreApart) {
  v1::Open open = MinimalOpen();
  open.set_resumable(true);
  open.add_resume()->set_id(7);
  open.add_resume()->set_id(8);
  open.mutable_resume(1)->set_token(std::string("\0\xff", 2));
  const auto request = ReadOpen(open);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->resumable);
  EXPECT_EQ(request->resume, std::vector<uint64_t>{7});
  ASSERT_EQ(request->tokens.size(), 1u);
  EXPECT_EQ(request->tokens[0].held_id, 8u);
  EXPECT_EQ(request->tokens[0].token, std::string("\0\xff", 2));
}

TEST(ReadOpenTest, ConfirmSettlements) {
  v1::Open open = MinimalOpen();
  open.set_confirm_settlements(true);
  EXPECT_TRUE(ReadOpen(open)->confirm_settlements);
}

TEST(ReadOpenTest, TheLimitsThemselvesAreTaken) {
  v1::Open open = MinimalOpen();
  open.set_client_id(std::string(128, 'x'));
  open.set_max_batch(256);
  open.mutable_credit()->set_messages(1 << 20);
  open.mutable_credit()->set_bytes(1 << 30);
  open.add_resume()->set_id(7);
  open.add_resume()->set_id(9);
  const auto request = ReadOpen(open);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->credit.messages, 1u << 20);
  EXPECT_EQ(request->credit.bytes, 1u << 30);
  EXPECT_EQ(request->resume, (std::vector<uint64_t>{7, 9}));
}

TEST(ReadCreditTest, NoMessagesPauseAndNoBytesAreTheDefault) {
  const auto credit = ReadCredit(v1::Credit(), "credit");
  ASSERT_TRUE(credit.ok());
  EXPECT_EQ(credit->messages, 0);
  EXPECT_EQ(credit->bytes, 8u << 20);
}

struct BadRun {
  std::string name;
  std::function<void(v1::SettleRun*)> change;
  std::string starts_with;
};

void PrintTo(const BadRun& row, std::ostream* out) { *out << row.name; }

class SettleRefusedTest : public ::testing::TestWithParam<BadRun> {};

TEST_P(SettleRefusedTest, NamesTheRunAndTheField) {
  v1::Settle settle;
  settle.add_runs()->mutable_ack();
  GetParam().change(settle.add_runs());
  std::vector<core::SettleRun> runs;
  const absl::Status status = ReadSettle(settle, &runs);
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_THAT(std::string(status.message()), StartsWith(GetParam().starts_with));
}

void SetDelay(v1::SettleRun* run, int64_t seconds, int32_t nanos) {
  run->mutable_nak()->mutable_delay()->set_seconds(seconds);
  run->mutable_nak()->mutable_delay()->set_nanos(nanos);
}

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

INSTANTIATE_TEST_SUITE_P(
    Rows, SettleRefusedTest,
    ::testing::Values(
        BadRun{"NoVerdict", [](v1::SettleRun* run) { run->add_ids(1); }, "settle.runs[1].verdict: "},
        BadRun{"NegativeDelay", [](v1::SettleRun* run) { SetDelay(run, -1, 0); }, "settle.runs[1].nak.delay: -1s"},
        BadRun{"NegativeNanos", [](v1::SettleRun* run) { SetDelay(run, 0, -1); }, "settle.runs[1].nak.delay: -1ns"},
        BadRun{"LongDelay", [](v1::SettleRun* run) { SetDelay(run, 86400, 1); }, "settle.runs[1].nak.delay: 24h"},
        BadRun{"EndlessDelay", [](v1::SettleRun* run) { SetDelay(run, kMost, 0); }, "settle.runs[1].nak.delay: "},
        BadRun{"LeastDelay", [](v1::SettleRun* run) { SetDelay(run, kLeast, 0); }, "settle.runs[1].nak.delay: "},
        BadRun{"TooManyNanos", [](v1::SettleRun* run) { SetDelay(run, 0, 1'000'000'000); },
               "settle.runs[1].nak.delay: not a duration"},
        BadRun{"MixedSigns", [](v1::SettleRun* run) { SetDelay(run, 1, -1); },
               "settle.runs[1].nak.delay: not a duration"},
        BadRun{"LongReason", [](v1::SettleRun* run) { run->mutable_term()->set_reason(std::string(1025, 'x')); },
               "settle.runs[1].term.reason: 1025 bytes"},
        BadRun{"LineFeed", [](v1::SettleRun* run) { run->mutable_term()->set_reason("a\nb"); },
               "settle.runs[1].term.reason: "},
        BadRun{"CarriageReturn", [](v1::SettleRun* run) { run->mutable_term()->set_reason("a\r"); },
               "settle.runs[1].term.reason: "},
        BadRun{"TooManyIds",
               [](v1::SettleRun* run) {
                 run->mutable_ids()->Resize(kMaxSettled + 1, 1);
                 run->mutable_ack();
               },
               "settle.runs: 1048577 ids"}),
    [](const auto& info) { return info.param.name; });

TEST(ReadSettleTest, RunsPointIntoTheRequest) {
  v1::Settle settle;
  v1::SettleRun* acks = settle.add_runs();
  acks->add_ids(1);
  acks->add_ids(2);
  acks->mutable_ack();
  SetDelay(settle.add_runs(), 86400, 0);
  settle.add_runs()->mutable_term()->set_reason(std::string(1024, 'x'));
  settle.add_runs()->mutable_in_progress();

  std::vector<core::SettleRun> runs(9);
  ASSERT_TRUE(ReadSettle(settle, &runs).ok());
  ASSERT_EQ(runs.size(), 4);
  EXPECT_EQ(runs[0].ids.data(), acks->ids().data());
  EXPECT_EQ(runs[0].ids.size(), 2);
  EXPECT_EQ(runs[0].settlement.verdict, core::Verdict::kAck);
  EXPECT_EQ(runs[1].settlement.verdict, core::Verdict::kNak);
  EXPECT_EQ(runs[1].settlement.nak_delay, absl::Hours(24));
  EXPECT_EQ(runs[2].settlement.verdict, core::Verdict::kTerm);
  EXPECT_EQ(runs[2].settlement.term_reason.data(), settle.runs(2).term().reason().data());
  EXPECT_EQ(runs[3].settlement.verdict, core::Verdict::kInProgress);
}

TEST(ReadDrainTimeoutTest, AbsentGivenAndRefused) {
  v1::Drain drain;
  EXPECT_EQ(ReadDrainTimeout(drain, "drain.timeout").value(), std::nullopt);
  drain.mutable_timeout()->set_seconds(3);
  EXPECT_EQ(ReadDrainTimeout(drain, "drain.timeout").value(), absl::Seconds(3));
  drain.mutable_timeout()->set_seconds(86401);
  EXPECT_THAT(std::string(ReadDrainTimeout(drain, "drain.timeout").status().message()),
              HasSubstr("drain.timeout: 24h1s; 0 to 24h"));
  v1::DrainRequest request;
  request.mutable_timeout()->set_seconds(-1);
  EXPECT_EQ(ReadDrainTimeout(request, "timeout").status().code(), kInvalid);
}

}  // namespace
}  // namespace sluice::rpc
