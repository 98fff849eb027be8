// What a lost stream, or a lost daemon, does to what the app holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>

#include "client-sdk/cpp/fake_daemon.h"
#include "sluice/client.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::FakeDaemon;
using testing::FakeStream;
using ::testing::UnorderedElementsAre;
using Seen = FakeStream::Verdict;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "broken");

std::vector<uint64_t> Named(const v1::Open& open) {
  std::vector<uint64_t> ids;
  for (const v1::Held& held : open.resume()) ids.push_back(held.id());
  return ids;
}

void Again(v1::Delivery& delivery) { delivery.set_num_delivered(2); }

// An app that keeps what it gets until the test settles it.
class ReconnectTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakeStream> Begin() {
    auto stream = daemon_.Accept();
    stream->Opened();
    return stream;
  }
  // The message with this stream sequence, once it is with the handler.
  Message& Started(uint64_t sequence) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return messages_.contains(sequence); }));
    return messages_.at(sequence);
  }
  size_t calls() {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  FakeDaemon daemon_;
  Client client_{
      ClientOptions{.address = daemon_.address(), .client_id = "me", .first_retry = milliseconds(1), .log = nullptr}};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Message> messages_;
  size_t calls_ = 0;

  Consumption consumption_ = client_.Consume("orders", [this](Message m) {
    std::lock_guard lock(mutex_);
    ++calls_;
    const uint64_t sequence = m.stream_sequence();
    messages_.insert_or_assign(sequence, std::move(m));
    changed_.notify_all();
  });
};

TEST_F(ReconnectTest, ComesBackUnderItsIdNamingWhatItHolds) {
  auto stream = Begin();
  stream->Deliver(1, 3);
  Started(3);
  Started(1).Ack();
  stream->AwaitVerdicts(1);
  stream->Finish(kBroken);
  const v1::Open open = daemon_.Accept()->AwaitOpen();
  EXPECT_EQ(open.client_id(), "me");
  EXPECT_THAT(Named(open), UnorderedElementsAre(1, 2, 3));
}

TEST_F(ReconnectTest, WhatIsResumedIsSettledOnTheNewStream) {
  auto stream = Begin();
  stream->Deliver(1, 2);
  Message& first = Started(1);
  Message& second = Started(2);
  stream->Finish(kBroken);
  auto next = daemon_.Accept();
  first.Ack();  // while there is no stream
  next->Opened({{1, 1}, {2, 102}});
  second.Nak();
  EXPECT_THAT(next->AwaitVerdicts(2), UnorderedElementsAre(Seen{1, "ack"}, Seen{102, "nak"}));
  EXPECT_EQ(consumption_.stats().streams, 2u);
  EXPECT_EQ(consumption_.stats().lost, 0u);
}

TEST_F(ReconnectTest, AVerdictThatTheDaemonNeverGotIsSentAgain) {
  auto stream = Begin();
  stream->Deliver(1, 2);
  Started(1).Ack();
  Started(2).Ack();
  stream->AwaitVerdicts(2);
  stream->Finish(kBroken);
  auto next = daemon_.Accept();
  next->Opened({{2, 2}});
  EXPECT_THAT(next->AwaitVerdicts(1), ElementsAre(Seen{2, "ack"}));
}

TEST_F(ReconnectTest, WhatIsNotResumedIsCancelled) {
  auto stream = Begin();
  stream->Deliver(1, 2);
  Message& first = Started(1);
  Message& second = Started(2);
  stream->Finish(kBroken);
  auto next = daemon_.Accept();
  next->Opened({{2, 2}});
  while (!first.cancelled()) std::this_thread::yield();
  EXPECT_FALSE(second.cancelled());
  first.Ack();
  second.Ack();
  EXPECT_THAT(next->AwaitVerdicts(1), ElementsAre(Seen{2, "ack"}));
}

TEST_F(ReconnectTest, ANewDaemonDeliversAgainAndNothingIsHandledTwice) {
  auto stream = Begin();
  stream->Deliver(1, 3);
  Message& running = Started(3);
  Started(1).Ack();
  Started(2).Nak();
  stream->AwaitVerdicts(2);
  daemon_.Kill();  // before it told NATS
  daemon_.Start();
  auto next = Begin();
  next->Deliver(1, 3, [](v1::Delivery& delivery) {
    delivery.set_id(delivery.id() + 500);
    Again(delivery);
  });
  EXPECT_EQ(next->AwaitVerdicts(1).front(), (Seen{501, "ack"})) << "acked again without being run";
  while (running.cancelled()) std::this_thread::yield();
  running.Ack();
  EXPECT_EQ(next->AwaitVerdicts(2).back(), (Seen{503, "ack"})) << "the running handler's verdict counts";
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return calls_ == 4; })) << "2 is run again";
}

TEST_F(ReconnectTest, FirstAttemptsAreRunWhateverTheirSequence) {
  auto stream = Begin();
  stream->Deliver(1);
  Started(1).Ack();
  stream->Finish(kBroken);
  auto next = Begin();
  next->Deliver(1);  // num_delivered 1
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return calls_ == 2; }));
}

TEST_F(ReconnectTest, KeepsTryingUntilThereIsADaemon) {
  Begin();
  daemon_.Kill();
  daemon_.Start();
  for (int i = 0; i < 3; ++i) daemon_.Accept()->Finish(kBroken);
  auto stream = Begin();
  stream->Deliver(1);
  Started(1).Ack();
  stream->AwaitVerdicts(1);
}

// A single handler, busy; the rest waits in the client.
TEST(ReconnectQueueTest, WhatWaitsIsNotStartedWithoutAStream) {
  FakeDaemon daemon;
  Client client({.address = daemon.address(), .first_retry = milliseconds(1), .log = nullptr});
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::mutex mutex;
  std::vector<uint64_t> started;
  std::promise<void> first;
  auto consumption = client.Consume("orders", [&](Message& m) {
    {
      std::lock_guard lock(mutex);
      started.push_back(m.stream_sequence());
    }
    if (m.stream_sequence() == 1) first.set_value(), released.wait();
    return Ack();
  });
  auto stream = daemon.Accept();
  stream->Opened();
  stream->Deliver(1, 3);
  first.get_future().get();
  stream->Finish(kBroken);
  auto next = daemon.Accept();  // its Opened has yet to say what became of them
  release.set_value();
  while (consumption.stats().acked == 0) std::this_thread::yield();
  next->Opened({{3, 3}});
  EXPECT_THAT(next->AwaitVerdicts(1), ElementsAre(Seen{3, "ack"}));
  next->Deliver(4);
  next->AwaitVerdicts(2);
  std::lock_guard lock(mutex);
  EXPECT_THAT(started, ElementsAre(1, 3, 4)) << "2 was lost before its turn";
}

// Handlers and streams that break at any moment: everything is acked once, on the stream that holds it.
TEST(ReconnectStressTest, NothingIsLostOrHandledTwiceOverManyStreams) {
  constexpr int kStreams = 30, kMessages = 500;
  FakeDaemon daemon;
  Client client(
      {.address = daemon.address(), .first_retry = milliseconds(1), .longest_retry = milliseconds(2), .log = nullptr});
  std::mutex mutex;
  std::map<uint64_t, int> handled;
  auto consumption = client.Consume("orders", {.concurrency = 4}, [&](Message& m) {
    std::lock_guard lock(mutex);
    ++handled[m.stream_sequence()];
    return Ack();
  });
  std::set<uint64_t> held;
  const auto apply = [&](const std::vector<Seen>& verdicts) {
    for (const Seen& verdict : verdicts) {
      EXPECT_EQ(verdict.what, "ack");
      EXPECT_EQ(held.erase(verdict.id), 1u) << verdict.id << " was not held";
    }
  };
  for (int i = 0; i < kStreams; ++i) {
    auto stream = daemon.Accept();
    std::map<uint64_t, uint64_t> resumed;
    for (const uint64_t id : Named(stream->AwaitOpen())) {
      if (held.contains(id)) resumed.emplace(id, id);
    }
    std::erase_if(held, [&](uint64_t id) {  // lost on the way; a real daemon hands it out again
      return !resumed.contains(id);
    });
    stream->Opened(resumed);
    const bool last = i == kStreams - 1;
    for (int n = 0; n < kMessages; ++n) held.insert(i * kMessages + n + 1);
    stream->Deliver(i * kMessages + 1, kMessages);
    const size_t await = last ? held.size() : kMessages / 2;
    stream->AwaitVerdicts(await);
    if (!last) stream->Finish(kBroken);
    if (!last) stream->AwaitDone();
    apply(stream->AwaitVerdicts(await));
  }
  EXPECT_TRUE(held.empty());
  std::lock_guard lock(mutex);
  for (const auto& [sequence, times] : handled) EXPECT_EQ(times, 1) << sequence;
}

}  // namespace
}  // namespace sluice
