#include "admin/handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

using ::testing::HasSubstr;

// Probes, with everything that they look at played by hand.
class HandlerTest : public ::testing::Test {
 protected:
  HandlerTest() {
    loop_.emplace();
    loop_->nats = {true, "nats://127.0.0.1:4222", 0, ""};
    ConsumerSnapshot consumer;
    consumer.name = "orders";
    consumer.stream = "ORDERS";
    consumer.state = core::ConsumerState::kServing;
    loop_->consumers = {consumer};
  }

  Response Get(const std::string& path) { return Handle({"GET", path, "10.0.0.9"}); }
  Response Handle(const Request& request) {
    Facts facts;
    facts.version = "1.2.3";
    facts.reload = [] { return ReloadFacts(); };
    facts.quit = [this] { ++quits_; };
    return Handler(options_, facts,
                   {.started = [this] { return started_; },
                    .alive = [this] { return alive_; },
                    .loop_lag = [] { return absl::Milliseconds(1); },
                    .loop = [this](absl::Duration) { return loop_; }})
        .Handle(request);
  }
  void ExpectNotReady(const std::string& why) {
    const Response response = Get("/readyz");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, "not ready: " + why + "\n");
  }

  Handler::Options options_;
  bool started_ = true;
  absl::Status alive_;
  std::optional<Snapshot> loop_;
  int quits_ = 0;
};

TEST_F(HandlerTest, AllIsWell) {
  EXPECT_EQ(Get("/startupz").body, "started: apps can connect\n");
  EXPECT_EQ(Get("/readyz").body, "ready: serving apps, connected to NATS at nats://127.0.0.1:4222\n");
  EXPECT_EQ(Get("/livez").body, "alive: the event loop and gRPC answer\n");
  for (const char* path : {"/startupz", "/readyz", "/livez", "/metrics"}) EXPECT_EQ(Get(path).status, 200) << path;
}

TEST_F(HandlerTest, StartupIsTheSocketAndNeverNats) {
  loop_->nats = {false, "", 0, "Connection refused"};
  EXPECT_EQ(Get("/startupz").status, 200);
  EXPECT_EQ(Get("/livez").status, 200);
  started_ = false;
  EXPECT_EQ(Get("/startupz").status, 503);
  ExpectNotReady("not listening for apps yet");
  EXPECT_EQ(Get("/livez").status, 200);
}

TEST_F(HandlerTest, ReadinessFollowsNats) {
  loop_->nats = {false, "", 0, "Connection refused"};
  ExpectNotReady("not connected to NATS: Connection refused; it is tried for ever");
  options_.readiness = Readiness::kProcess;
  EXPECT_EQ(Get("/readyz").body, "ready: serving apps\n");
}

TEST_F(HandlerTest, ReadinessFollowsTheDrain) {
  for (const Readiness readiness : {Readiness::kProcess, Readiness::kNats, Readiness::kConsumers}) {
    options_.readiness = readiness;
    loop_->phase = core::Daemon::Phase::kDraining;
    loop_->drain_left = absl::Milliseconds(12345);
    loop_->consumers[0].gauges.in_flight = 3;
    ExpectNotReady("draining: 3 messages with apps, deadline in 12.3s");
    loop_->phase = core::Daemon::Phase::kDrained;
    ExpectNotReady("drained; waits for SIGTERM");
    loop_->phase = core::Daemon::Phase::kServing;
    EXPECT_EQ(Get("/readyz").status, 200);
  }
}

TEST_F(HandlerTest, ReadinessFollowsConsumersIfAsked) {
  using core::ConsumerState;
  loop_->consumers[0].state = ConsumerState::kConsumerMissing;
  loop_->consumers[0].state_detail = "stream not found";
  EXPECT_EQ(Get("/readyz").status, 200);
  options_.readiness = Readiness::kConsumers;
  ExpectNotReady("consumer 'orders' is CONSUMER_MISSING: stream not found");
  loop_->consumers[0].state = ConsumerState::kConsumerInvalid;
  EXPECT_EQ(Get("/readyz").status, 503);
  for (const ConsumerState state :
       {ConsumerState::kServing, ConsumerState::kPaused, ConsumerState::kPinnedElsewhere, ConsumerState::kProbing}) {
    loop_->consumers[0].state = state;
    EXPECT_EQ(Get("/readyz").status, 200) << core::ConsumerStateName(state);
  }
}

TEST_F(HandlerTest, AStuckLoop) {
  loop_ = std::nullopt;
  ExpectNotReady("the event loop does not answer");
  EXPECT_EQ(Get("/metrics").status, 503);
  EXPECT_EQ(Get("/livez").status, 200) << "that is the watchdog's to say";
  alive_ = absl::DeadlineExceededError("the event loop does not answer, for 15s");
  EXPECT_EQ(Get("/livez").status, 503);
  EXPECT_EQ(Get("/livez").body, "not alive: the event loop does not answer, for 15s\n");
}

TEST_F(HandlerTest, MetricsAreText) {
  const Response response = Get("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("sluice_build_info{version=\"1.2.3\"} 1\n"));
}

TEST_F(HandlerTest, QuitsOnlyIfSwitchedOnAndFromHereAndByPost) {
  EXPECT_EQ(Handle({"POST", "/quitquitquit", "127.0.0.1"}).status, 403);
  EXPECT_THAT(Handle({"POST", "/quitquitquit", "127.0.0.1"}).body, HasSubstr("admin.quit: true"));
  options_.quit = true;
  EXPECT_EQ(Handle({"POST", "/quitquitquit", "10.0.0.9"}).status, 403);
  EXPECT_EQ(Handle({"GET", "/quitquitquit", "127.0.0.1"}).status, 405);
  EXPECT_EQ(Handle({"GET", "/quitquitquit", "127.0.0.1"}).allow, "POST");
  EXPECT_EQ(quits_, 0);
  EXPECT_EQ(Handle({"POST", "/quitquitquit", "127.0.0.1"}).body, "draining, then the daemon ends\n");
  EXPECT_EQ(quits_, 1);
  EXPECT_EQ(Handle({"POST", "/quitquitquit", "::1"}).status, 200);
}

TEST_F(HandlerTest, OtherPathsAndMethods) {
  EXPECT_EQ(Get("/").body, "/startupz /readyz /livez /metrics\n");
  EXPECT_EQ(Get("/healthz").status, 404);
  EXPECT_THAT(Get("/healthz").body, HasSubstr("/startupz /readyz /livez /metrics"));
  EXPECT_EQ(Handle({"POST", "/readyz", "127.0.0.1"}).status, 405);
  EXPECT_EQ(Handle({"HEAD", "/readyz", "127.0.0.1"}).status, 200);
}

TEST(IsLoopback, KnowsTheMachinesOwn) {
  for (const char* address : {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"", "10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "localhost", "127.0.0.1.evil"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace sluice::admin
