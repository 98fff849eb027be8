// What an app is told: by hooks, by its log, by its metrics and traces.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FakeStream;
using ::testing::HasSubstr;
using ::testing::Matcher;
using ::testing::Matches;
using ::testing::Pair;
using Seen = FakeStream::Verdict;

class HooksTest : public testing::ClientTest {};

TEST_F(HooksTest, StatesAndFailedVerdictsAreTold) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<State, std::string>> states;
  std::vector<grpc::StatusCode> errors;
  ConsumeOptions options;
  options.on_state = [&](State state, const std::string& detail) {
    std::lock_guard lock(mutex);
    states.emplace_back(state, detail);
    throw std::runtime_error("a hook that throws harms nobody");
  };
  options.on_error = [&](const grpc::Status& status) {
    std::lock_guard lock(mutex);
    errors.push_back(status.error_code());
    changed.notify_all();
  };
  const auto consumption = client_.Consume("orders", options, [](Message&) { return Ack(); });
  auto stream = Accept();
  v1::ConsumeResponse state;
  state.mutable_state()->set_kind(v1::State::KIND_NATS_DOWN);
  state.mutable_state()->set_detail("no route");
  stream->Write(state);
  v1::ConsumeResponse results;
  for (const auto outcome : {v1::SettleResult::OUTCOME_LATE, v1::SettleResult::OUTCOME_NOT_HELD,
                             v1::SettleResult::OUTCOME_FAILED, v1::SettleResult::OUTCOME_CONFIRMED}) {
    v1::SettleResult& result = *results.mutable_settle_results()->add_results();
    result.set_outcome(outcome);
    result.add_ids(1);
  }
  stream->Write(results);
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return errors.size() >= 3; });
  EXPECT_THAT(states, ElementsAre(Pair(State::kConnecting, ""), Pair(State::kNatsDown, "no route")));
  EXPECT_THAT(errors, ElementsAre(grpc::StatusCode::DEADLINE_EXCEEDED, grpc::StatusCode::NOT_FOUND,
                                  grpc::StatusCode::UNAVAILABLE));
  EXPECT_EQ(consumption.stats().late + consumption.stats().not_held + consumption.stats().failed, 3u);
}

// Lines of a log, from any thread.
class Lines {
 public:
  Log Writer() {
    return [this](LogLevel level, std::string_view line) {
      std::lock_guard lock(mutex_);
      lines_.emplace_back(level, line);
      changed_.notify_all();
    };
  }
  // Waits for a line like this.
  LogLevel AwaitLine(const Matcher<std::string>& like) {
    std::unique_lock lock(mutex_);
    const auto found = [&] {
      return std::find_if(lines_.begin(), lines_.end(), [&](const auto& line) { return Matches(like)(line.second); });
    };
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return found() != lines_.end(); })) {
      throw std::runtime_error("no such line");
    }
    return found()->first;
  }
  int Count(const Matcher<std::string>& like) {
    std::lock_guard lock(mutex_);
    return static_cast<int>(
        std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return Matches(like)(line.second); }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

class LogTest : public testing::ClientTest {
 protected:
  Lines lines_;
  Client logging_{ClientOptions{.address = daemon_.address(),
                                .first_retry = milliseconds(1),
                                .longest_retry = milliseconds(1),
                                .log = lines_.Writer()}};
};

TEST_F(LogTest, AnOutageIsOneLine) {
  const auto consumption = logging_.Consume("orders", [](Message&) {});
  Accept()->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  for (int i = 0; i < 5; ++i) daemon_.Accept()->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  EXPECT_EQ(lines_.AwaitLine("orders: connecting: broken; trying again"), LogLevel::kWarning);
  EXPECT_EQ(lines_.Count(HasSubstr("connecting")), 1);
}

TEST_F(LogTest, HandlersAndHooksThatThrowAreToldAndHarmNobody) {
  ConsumeOptions options;
  options.on_error = [](const grpc::Status&) { throw std::runtime_error("out of paper"); };
  options.trace = [](const TraceCarrier&) -> std::shared_ptr<void> { throw 7; };
  const auto consumption = logging_.Consume("orders", options, [](Message& m) {
    if (m.stream_sequence() == 1) throw std::runtime_error("out of ink");
  });
  auto stream = Accept();
  stream->Deliver(1, 2);
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{1, "nak"}, Seen{2, "ack"}));
  EXPECT_EQ(lines_.AwaitLine("orders: a handler threw: out of ink"), LogLevel::kError);
  EXPECT_EQ(lines_.AwaitLine("orders: on_error threw: out of paper"), LogLevel::kError);
  EXPECT_EQ(lines_.AwaitLine("orders: trace threw"), LogLevel::kError);
}

TEST_F(LogTest, ALogThatThrowsHarmsNobody) {
  Client client({.address = daemon_.address(), .log = [](LogLevel, std::string_view) { throw 7; }});
  const auto consumption = client.Consume("orders", [](Message&) { throw std::runtime_error("out of ink"); });
  auto stream = Accept();
  stream->Deliver(1);
  stream->AwaitVerdicts(1);
}

TEST_F(HooksTest, TheStateIsKept) {
  const auto consumption = client_.Consume("orders", [](Message&) {});
  EXPECT_EQ(consumption.state(), State::kConnecting);
  v1::ConsumeResponse state;
  state.mutable_state()->set_kind(v1::State::KIND_PAUSED);
  Accept()->Write(state);
  while (consumption.state() != State::kPaused) std::this_thread::yield();
  client_.Stop();
  EXPECT_EQ(consumption.state(), State::kClosed);
}

TEST_F(HooksTest, CountsAreToldWhenTheyChangeAndAtTheEnd) {
  std::mutex mutex;
  std::vector<Stats> told;
  ConsumeOptions options{.on_stats = [&](const Stats& stats) {
    std::lock_guard lock(mutex);
    told.push_back(stats);
  }};
  const auto consumption = client_.Consume("orders", options, [](Message&) {});
  auto stream = Accept();
  stream->Deliver(1, 3);
  stream->AwaitVerdicts(3);
  const auto tells = [&](uint64_t acked) {
    std::lock_guard lock(mutex);
    return !told.empty() && told.back().acked == acked;
  };
  while (!tells(3)) std::this_thread::yield();
  stream->Deliver(4);
  stream->AwaitVerdicts(4);
  client_.Stop();
  EXPECT_TRUE(tells(4)) << "the last ones are told before it is closed";
}

TEST_F(HooksTest, AHandlerRunsWithinTheTraceOfItsMessage) {
  std::mutex mutex;
  std::vector<std::string> order;
  const auto note = [&](std::string what) {
    std::lock_guard lock(mutex);
    order.push_back(std::move(what));
  };
  ConsumeOptions options;
  options.trace = [&](const TraceCarrier& carrier) -> std::shared_ptr<void> {
    note("enter " + std::string(carrier.traceparent().value_or("none")) + " " +
         std::string(carrier.Get("BAGGAGE").value_or("none")));
    return {nullptr, [&](void*) { note("leave"); }};
  };
  auto consumption = client_.Consume("orders", options, [&](Message&) { note("handle"); });
  auto stream = Accept();
  stream->Deliver(1, 1, [](v1::Delivery& delivery) {
    for (const auto& [name, value] : {std::pair("Traceparent", "00-ab-cd-01"), {"baggage", "k=v"}}) {
      v1::Header& header = *delivery.add_headers();
      header.set_name(name);
      header.set_value(value);
    }
  });
  stream->AwaitVerdicts(1);
  stream->Deliver(2);
  stream->AwaitVerdicts(2);
  consumption = client_.Consume("others", [](Message&) {});  // the handler's thread is gone
  EXPECT_THAT(order, ElementsAre("enter 00-ab-cd-01 k=v", "handle", "leave", "enter none none", "handle", "leave"));
}

}  // namespace
}  // namespace sluice
