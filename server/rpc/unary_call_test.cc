// Fetch and Settle as callers see them: the real server and the real core over a fake source.
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "rpc/test_daemon.h"
#include "test/support/fake_message_source.h"

namespace sluice::rpc {
namespace {

using core::Verdict;
using test::FakeMessageSource;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Result = v1::SettleResult;

class UnaryCallTest : public testing::Test {
 protected:
  // Calls without a deadline of their own have the test's.
  static void Arm(grpc::ClientContext* context) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + kTestPatience));
  }
  static v1::FetchRequest Request(uint32_t batch) {
    v1::FetchRequest request;
    request.set_consumer("orders");
    request.set_batch(batch);
    return request;
  }
  grpc::Status Fetch(const v1::FetchRequest& request, v1::FetchResponse* response) {
    grpc::ClientContext context;
    Arm(&context);
    return stub_->Fetch(&context, request, response);
  }
  // This many, however many calls it takes.
  std::vector<v1::Delivery> FetchAll(size_t count) {
    std::vector<v1::Delivery> deliveries;
    while (deliveries.size() < count && !HasFailure()) {
      v1::FetchResponse response;
      const grpc::Status status = Fetch(Request(static_cast<uint32_t>(count - deliveries.size())), &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Delivery& delivery : response.deliveries()) deliveries.push_back(delivery);
    }
    return deliveries;
  }
  grpc::Status Settle(const v1::SettleRequest& request, v1::SettleResponse* response) {
    grpc::ClientContext context;
    Arm(&context);
    // From another connection than the one that fetched.
    return v1::ConsumerService::NewStub(daemon_.Connect())->Settle(&context, request, response);
  }
  static v1::SettleRequest Acks(const std::vector<std::string>& tokens) {
    v1::SettleRequest request;
    request.set_consumer("orders");
    for (const std::string& token : tokens) request.add_tokens(token);
    request.mutable_ack();
    return request;
  }
  // By position.
  std::vector<Result> SettleAll(const v1::SettleRequest& request) {
    v1::SettleResponse response;
    const grpc::Status status = Settle(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<Result> results(request.tokens_size());
    for (const Result& result : response.results()) {
      for (uint64_t position : result.ids()) {
        EXPECT_EQ(results.at(position).outcome(), Result::OUTCOME_UNSPECIFIED) << "told twice";
        results.at(position) = result;
      }
    }
    return results;
  }
  std::vector<uint64_t> Verdicts(Verdict verdict) {
    return daemon_.OnLoop([&](core::Daemon&, FakeMessageSource& source) {
      std::vector<uint64_t> sequences;
      for (const auto& one : source.verdicts()) {
        if (one.verdict == verdict) sequences.push_back(one.stream_sequence);
      }
      return sequences;
    });
  }
  testing::AssertionResult EventuallyNaked(const std::vector<uint64_t>& sequences) {
    return daemon_.Eventually([&](core::Daemon&, FakeMessageSource& source) {
      std::vector<uint64_t> naked;
      for (const auto& one : source.verdicts()) {
        if (one.verdict == Verdict::kNak) naked.push_back(one.stream_sequence);
      }
      return naked == sequences;
    });
  }

  TestDaemon daemon_;
  std::unique_ptr<v1::ConsumerService::Stub> stub_ = v1::ConsumerService::NewStub(daemon_.Connect());
};

TEST_F(UnaryCallTest, WhatIsFetchedIsWholeAndSettledFromAnyConnection) {
  daemon_.Publish({{"orders.new", {{"Trace", "1"}}, std::string("a\0b", 3)}});
  daemon_.Publish(2);
  const std::vector<v1::Delivery> deliveries = FetchAll(3);
  ASSERT_EQ(deliveries.size(), 3u);
  EXPECT_EQ(deliveries[0].subject(), "orders.new");
  EXPECT_EQ(deliveries[0].data(), std::string("a\0b", 3));
  EXPECT_EQ(deliveries[0].headers(0).name(), "Trace");
  EXPECT_EQ(deliveries[0].stream_sequence(), 1u);
  for (const v1::Delivery& delivery : deliveries) {
    EXPECT_FALSE(delivery.token().empty());
    EXPECT_LE(delivery.token().size(), 256u);
  }

  const auto acked = SettleAll(Acks({deliveries[2].token(), deliveries[0].token()}));
  EXPECT_EQ(acked[0].outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_EQ(acked[1].outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_THAT(Verdicts(Verdict::kAck), ElementsAre(3, 1));

  v1::SettleRequest nak;
  nak.set_consumer("orders");
  nak.add_tokens(deliveries[1].token());
  nak.mutable_nak()->mutable_delay()->set_seconds(7);
  EXPECT_EQ(SettleAll(nak)[0].outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_THAT(Verdicts(Verdict::kNak), ElementsAre(2));
}

TEST_F(UnaryCallTest, TheLeaseInForceIsTold) {
  daemon_.Publish(1);
  v1::FetchRequest request = Request(1);
  request.mutable_lease()->set_seconds(7);
  v1::FetchResponse response;
  ASSERT_TRUE(Fetch(request, &response).ok());
  EXPECT_EQ(response.lease().seconds(), 7);
  EXPECT_FALSE(response.has_state());
}

TEST_F(UnaryCallTest, AnEmptyAnswerIsNoError) {
  v1::FetchRequest request = Request(10);
  request.mutable_max_wait();
  v1::FetchResponse response;
  EXPECT_TRUE(Fetch(request, &response).ok());
  EXPECT_EQ(response.deliveries_size(), 0);
  EXPECT_FALSE(response.has_lease());
}

// --- many at once ---

TEST_F(UnaryCallTest, ManyAtOnceAreAllAnswered) {
  constexpr int kCalls = 300;
  struct Call {
    grpc::ClientContext context;
    v1::Status told;
    v1::FetchResponse fetched;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::Status>> status_reader;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::FetchResponse>> fetch_reader;
  };
  const auto admin = v1::AdminService::NewStub(daemon_.Connect());
  grpc::CompletionQueue queue;
  std::vector<Call> calls(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    Call& call = calls[i];
    Arm(&call.context);
    if (i % 2 == 0) {
      call.status_reader = admin->AsyncGetStatus(&call.context, {}, &queue);
      call.status_reader->Finish(&call.told, &call.status, nullptr);
    } else {
      v1::FetchRequest request = Request(1);
      request.mutable_max_wait()->set_seconds(60);
      call.fetch_reader = stub_->AsyncFetch(&call.context, request, &queue);
      call.fetch_reader->Finish(&call.fetched, &call.status, nullptr);
    }
  }
  daemon_.Publish(kCalls / 2);
  for (int i = 0; i < kCalls; ++i) {
    void* tag;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
  }
  std::set<uint64_t> sequences;
  for (int i = 0; i < kCalls; ++i) {
    EXPECT_TRUE(calls[i].status.ok()) << calls[i].status.error_message();
    if (i % 2 == 0) {
      EXPECT_EQ(calls[i].told.version(), "1.2.3");
    } else {
      ASSERT_EQ(calls[i].fetched.deliveries_size(), 1);
      sequences.insert(calls[i].fetched.deliveries(0).stream_sequence());
    }
  }
  EXPECT_EQ(sequences.size(), kCalls / 2u);
  queue.Shutdown();
}

// --- callers that go away ---

TEST_F(UnaryCallTest, ACallerThatGoesAwayWhileItWaitsLeavesNothingBehind) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  v1::FetchRequest request = Request(10);
  request.mutable_max_wait()->set_seconds(60);
  v1::FetchResponse response;
  EXPECT_EQ(stub_->Fetch(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(daemon_.Eventually(
      [](core::Daemon& daemon, FakeMessageSource&) { return daemon.consumers().front()->unary().waiting() == 0; }));
}

// The response does not fit into the window of a caller that does not read; then it is gone. Mutation: OnOver()
// does not look whether it is lost.
TEST_F(UnaryCallTest, AResponseThatWasNeverReadGoesBack) {
  // More than gRPC takes in for a client that does not read: what it has taken in whole is as good as read.
  daemon_.Publish({{"orders.new", {}, std::string(32 << 20, 'x')}});
  grpc::GenericStub stub(daemon_.Connect());
  grpc::ClientContext context;
  Arm(&context);
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub.PrepareCall(&context, "/sluice.v1.ConsumerService/Fetch", &queue);
  call->StartCall(nullptr);
  wait();
  v1::FetchRequest request = Request(1);
  request.mutable_lease()->set_seconds(600);  // whose end would bring it back too
  const grpc::Slice slice(request.SerializeAsString());
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  wait();
  EXPECT_TRUE(daemon_.Eventually(
      [](core::Daemon& daemon, FakeMessageSource&) { return daemon.consumers().front()->gauges().in_flight == 1; }));
  EXPECT_THAT(Verdicts(Verdict::kNak), IsEmpty());
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  while (wait()) {
  }
  EXPECT_TRUE(EventuallyNaked({1}));
}

// --- drains ---

TEST_F(UnaryCallTest, ADrainEndsWhoWaitsAndAwaitsWhatWasFetched) {
  daemon_.Publish(2);
  const std::vector<v1::Delivery> deliveries = FetchAll(2);
  grpc::Status waited;
  std::thread waiter([&] {
    v1::FetchRequest request = Request(1);
    request.mutable_max_wait()->set_seconds(60);
    v1::FetchResponse response;
    waited = Fetch(request, &response);
  });
  EXPECT_TRUE(daemon_.Eventually(
      [](core::Daemon& daemon, FakeMessageSource&) { return daemon.consumers().front()->unary().waiting() == 1; }));
  daemon_.OnLoop([](core::Daemon& daemon, FakeMessageSource&) { daemon.Drain(absl::Seconds(20)); });
  waiter.join();
  EXPECT_EQ(waited.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(waited.error_message(), HasSubstr("draining"));
  EXPECT_TRUE(daemon_.Eventually([](core::Daemon& daemon, FakeMessageSource&) {
    return daemon.consumers().front()->phase() == core::DrainPhase::kSettling;
  }));
  const auto results = SettleAll(Acks({deliveries[0].token(), deliveries[1].token()}));
  EXPECT_EQ(results[1].outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_TRUE(daemon_.Eventually(
      [](core::Daemon& daemon, FakeMessageSource&) { return daemon.phase() == core::Daemon::Phase::kDrained; }));
  EXPECT_THAT(SettleAll(Acks({deliveries[0].token()}))[0].detail(), HasSubstr("the drain is over"));
}

// --- tokens ---

TEST_F(UnaryCallTest, NoByteOfATokenMayBeChanged) {
  daemon_.Publish(1);
  const std::string token = FetchAll(1).at(0).token();
  std::vector<std::string> forged = {"", "garbage", std::string(3000, 'x'), token + "x", token.substr(1)};
  for (size_t byte = 0; byte < token.size(); ++byte) {
    forged.push_back(token);
    forged.back()[byte] ^= 1;
    forged.push_back(token.substr(0, byte));
  }
  for (const Result& result : SettleAll(Acks(forged))) {
    EXPECT_EQ(result.outcome(), Result::OUTCOME_NOT_HELD);
    EXPECT_FALSE(result.detail().empty());
  }
  EXPECT_THAT(Verdicts(Verdict::kAck), IsEmpty());
  EXPECT_EQ(SettleAll(Acks({token}))[0].outcome(), Result::OUTCOME_CONFIRMED);
}

TEST_F(UnaryCallTest, TokensOfOthersAreNotActedOn) {
  daemon_.Publish(1);
  const std::string ours = FetchAll(1).at(0).token();
  const auto forge = [&](const std::function<void(core::DeliveryToken*)>& change) {
    core::DeliveryToken token = *daemon_.tokens().Open(ours);
    change(&token);
    std::string sealed;
    daemon_.tokens().Seal(token, &sealed);
    return sealed;
  };
  const auto results = SettleAll(
      Acks({forge([](core::DeliveryToken* token) { token->durable = "another"; }),
            forge([](core::DeliveryToken* token) { token->stream = "ANOTHER"; }), forge([](core::DeliveryToken* token) {
              ++token->instance;
              ++token->consumer_created_ns;
            }),
            forge([](core::DeliveryToken* token) { ++token->id; })}));
  for (const Result& result : results) EXPECT_EQ(result.outcome(), Result::OUTCOME_NOT_HELD);
  EXPECT_THAT(results[0].detail(), HasSubstr("durable 'another'"));
  EXPECT_THAT(results[1].detail(), HasSubstr("stream 'ANOTHER'"));
  EXPECT_THAT(results[2].detail(), HasSubstr("made anew"));
  EXPECT_THAT(Verdicts(Verdict::kAck), IsEmpty());
}

TEST_F(UnaryCallTest, OfWhatAnEarlierProcessGaveAnAckGoesThrough) {
  daemon_.Publish(1);
  core::DeliveryToken token = *daemon_.tokens().Open(FetchAll(1).at(0).token());
  ++token.instance;
  std::string earlier;
  daemon_.tokens().Seal(token, &earlier);
  v1::SettleRequest nak;
  nak.set_consumer("orders");
  nak.add_tokens(earlier);
  nak.mutable_nak();
  EXPECT_EQ(SettleAll(nak).at(0).outcome(), Result::OUTCOME_NOT_HELD);
  EXPECT_THAT(Verdicts(Verdict::kNak), IsEmpty());
  EXPECT_EQ(SettleAll(Acks({earlier})).at(0).outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_EQ(Verdicts(Verdict::kAck).size(), 1u);
}

TEST_F(UnaryCallTest, ATokenThatIsNamedTwiceCountsOnce) {
  daemon_.Publish(1);
  const std::string token = FetchAll(1).at(0).token();
  const auto results = SettleAll(Acks({"garbage", token, token}));
  EXPECT_EQ(results[0].outcome(), Result::OUTCOME_NOT_HELD);
  EXPECT_EQ(results[1].outcome(), Result::OUTCOME_CONFIRMED);
  EXPECT_EQ(results[2].outcome(), Result::OUTCOME_NOT_HELD);
  EXPECT_THAT(results[2].detail(), HasSubstr("twice"));
  EXPECT_THAT(Verdicts(Verdict::kAck), ElementsAre(1));
}

// --- requests ---

struct BadFetch {
  const char* what;
  std::function<void(v1::FetchRequest*)> change;
  grpc::StatusCode code;
  const char* says;
};

TEST_F(UnaryCallTest, ABadFetchIsRefusedByItsField) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  const BadFetch cases[] = {
      {"none", [](auto* r) { r->clear_consumer(); }, kInvalid, "consumer: missing"},
      {"unknown", [](auto* r) { r->set_consumer("order"); }, grpc::StatusCode::NOT_FOUND, "did you mean 'orders'?"},
      {"batch", [](auto* r) { r->set_batch(257); }, kInvalid, "batch: 257; at most 256"},
      {"bytes", [](auto* r) { r->set_max_bytes((4 << 20) + 1); }, kInvalid, "max_bytes: 4194305; at most 4194304"},
      {"wait", [](auto* r) { r->mutable_max_wait()->set_seconds(61); }, kInvalid, "max_wait: 1m1s; 0 to 1m"},
      {"past", [](auto* r) { r->mutable_max_wait()->set_seconds(-1); }, kInvalid, "max_wait: -1s; 0 to 1m"},
      {"nanos", [](auto* r) { r->mutable_max_wait()->set_nanos(2'000'000'000); }, kInvalid, "max_wait: not a duration"},
      {"short", [](auto* r) { r->mutable_lease()->set_nanos(1); }, kInvalid, "lease: 1ns; at least 100ms"},
      {"long", [](auto* r) { r->mutable_lease()->set_seconds(86401); }, kInvalid, "lease: 24h1s; 0 to 24h"},
  };
  for (const BadFetch& bad : cases) {
    v1::FetchRequest request = Request(1);
    bad.change(&request);
    v1::FetchResponse response;
    const grpc::Status status = Fetch(request, &response);
    EXPECT_EQ(status.error_code(), bad.code) << bad.what;
    EXPECT_THAT(status.error_message(), HasSubstr(bad.says));
  }
}

TEST_F(UnaryCallTest, ABadSettleIsRefusedByItsField) {
  const auto refuse = [&](const std::function<void(v1::SettleRequest*)>& change) {
    v1::SettleRequest request = Acks({"token"});
    change(&request);
    v1::SettleResponse response;
    const grpc::Status status = Settle(request, &response);
    EXPECT_FALSE(status.ok());
    return status.error_message();
  };
  EXPECT_THAT(refuse([](auto* r) { r->clear_consumer(); }), HasSubstr("consumer: missing"));
  EXPECT_THAT(refuse([](auto* r) { r->set_consumer("order"); }), HasSubstr("did you mean 'orders'?"));
  EXPECT_THAT(refuse([](auto* r) { r->clear_tokens(); }), HasSubstr("tokens: missing"));
  EXPECT_THAT(refuse([](auto* r) {
                for (int i = 0; i < 4096; ++i) r->add_tokens("t");
              }),
              HasSubstr("tokens: 4097 tokens; at most 4096"));
  EXPECT_THAT(refuse([](auto* r) { r->clear_ack(); }),
              HasSubstr("verdict: missing; set ack, nak, term or in_progress"));
  EXPECT_THAT(refuse([](auto* r) { r->mutable_nak()->mutable_delay()->set_seconds(-1); }), HasSubstr("nak.delay: -1s"));
  EXPECT_THAT(refuse([](auto* r) { r->mutable_term()->set_reason("two\nlines"); }), HasSubstr("term.reason: holds"));
}

}  // namespace
}  // namespace sluice::rpc
