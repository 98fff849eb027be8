// Messages of one key never run at once, and start in order.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using testing::Await;
using ::testing::Each;
using testing::FakeStream;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Ne;
using ::testing::UnorderedElementsAre;
using Seen = FakeStream::Verdict;

class KeyTest : public testing::ClientTest {
 protected:
  // Three keys in turn.
  static std::string KeyOf(uint64_t sequence) { return std::string(1, static_cast<char>('a' + sequence % 3)); }
  static void WithHeader(v1::Delivery& delivery) {
    v1::Header& header = *delivery.add_headers();
    header.set_name("Key");
    header.set_value(KeyOf(delivery.stream_sequence()));
  }
  static Key ByHeader() {
    return [](const Message& m) { return m.header("Key").value_or(""); };
  }

  // Notes who runs beside whom.
  void Enter(uint64_t sequence) {
    std::lock_guard lock(mutex_);
    const std::string key = KeyOf(sequence);
    EXPECT_TRUE(running_.insert(key).second) << "two of " << key << " at once";
    most_ = std::max(most_, running_.size());
    order_[key].push_back(sequence);
  }
  void Leave(uint64_t sequence) {
    std::lock_guard lock(mutex_);
    running_.erase(KeyOf(sequence));
  }
  void ExpectInOrder() {
    std::lock_guard lock(mutex_);
    for (const auto& [key, sequences] : order_) EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end())) << key;
    EXPECT_EQ(order_.size(), 3u);
  }

  std::mutex mutex_;
  std::set<std::string> running_;
  std::map<std::string, std::vector<uint64_t>> order_;
  size_t most_ = 0;
};

TEST_F(KeyTest, OfTheAppsOwn) {
  std::atomic<int> together{0};
  const auto consumption = client_.Consume("orders", {.concurrency = 8, .key = ByHeader()}, [&](Message& m) {
    Enter(m.stream_sequence());
    if (m.stream_sequence() <= 3) {
      for (++together; together < 3;) std::this_thread::yield();  // hangs unless three keys run at once
    }
    std::this_thread::yield();
    Leave(m.stream_sequence());
  });
  auto stream = Accept();
  for (int i = 0; i < 10; ++i) stream->Deliver(1 + i * 30, 30, WithHeader);
  stream->AwaitVerdicts(300);
  EXPECT_EQ(most_, 3u);
  ExpectInOrder();
}

TEST_F(KeyTest, OfTheDaemon) {
  const auto consumption = client_.Consume("orders", {.concurrency = 8}, [&](Message& m) {
    Enter(m.stream_sequence());
    std::this_thread::yield();
    Leave(m.stream_sequence());
  });
  auto stream = Accept();
  stream->Deliver(1, 300, [](v1::Delivery& delivery) { delivery.set_key(KeyOf(delivery.stream_sequence())); });
  stream->AwaitVerdicts(300);
  ExpectInOrder();
}

TEST_F(KeyTest, AnOwnersMessageIsAtWorkUntilItsVerdict) {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, Message> owned;
  const auto has = [&](uint64_t sequence) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, seconds(20), [&] { return owned.contains(sequence); });
  };
  const auto consumption = client_.Consume("orders", {.key = ByHeader()}, [&](Message m) {
    std::lock_guard lock(mutex);
    const uint64_t sequence = m.stream_sequence();
    owned.emplace(sequence, std::move(m));
    changed.notify_all();
  });
  auto stream = Accept();
  stream->Deliver(1, 6, WithHeader);
  EXPECT_TRUE(has(3));
  {
    std::lock_guard lock(mutex);
    EXPECT_FALSE(owned.contains(4)) << "1 of the same key has no verdict";
    owned.at(1).Ack();
  }
  EXPECT_TRUE(has(4));
  std::lock_guard lock(mutex);
  EXPECT_FALSE(owned.contains(5));
}

TEST_F(KeyTest, AnAckInTheHandlerDoesNotLetTheNextOneIn) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  const auto consumption = client_.Consume("orders", {.concurrency = 4, .key = ByHeader()}, [&](Message& m) {
    Enter(m.stream_sequence());
    m.Ack();
    if (m.stream_sequence() == 1) released.wait();
    Leave(m.stream_sequence());
  });
  auto stream = Accept();
  stream->Deliver(1, 9, WithHeader);
  stream->AwaitVerdicts(7);  // all but 4 and 7
  EXPECT_THAT(stream->AwaitVerdicts(7), Each(Field(&Seen::id, AllOf(Ne(4u), Ne(7u)))));
  release.set_value();
  stream->AwaitVerdicts(9);
  ExpectInOrder();
}

TEST_F(KeyTest, InALoopATurnCounts) {
  auto messages = client_.Messages("orders", {.key = ByHeader()});
  const auto loop = [&] {
    for (Message& m : messages) {
      Enter(m.stream_sequence());
      m.Ack();
      std::this_thread::yield();
      Leave(m.stream_sequence());
    }
  };
  std::thread one(loop), other(loop);
  auto stream = Accept();
  stream->Deliver(1, 100, WithHeader);
  stream->AwaitVerdicts(100);
  messages.Stop();
  one.join();
  other.join();
  ExpectInOrder();
}

TEST_F(KeyTest, BatchesOfManyThreadsShareNoKey) {
  const auto consumption =
      client_.ConsumeBatches("orders", {.concurrency = 4, .max_batch = 5, .key = ByHeader()}, [&](Batch batch) {
        std::set<std::string> mine;
        {
          std::lock_guard lock(mutex_);
          for (const Message& m : batch) {
            const std::string key = KeyOf(m.stream_sequence());
            if (mine.insert(key).second) {
              EXPECT_TRUE(running_.insert(key).second) << "two batches have " << key;
            }
            order_[key].push_back(m.stream_sequence());
          }
        }
        std::this_thread::yield();
        std::lock_guard lock(mutex_);
        for (const std::string& key : mine) running_.erase(key);
      });
  auto stream = Accept();
  for (int i = 0; i < 10; ++i) stream->Deliver(1 + i * 30, 30, WithHeader);
  stream->AwaitVerdicts(300);
  ExpectInOrder();
}

TEST_F(KeyTest, AKeyFunctionThatThrowsNaks) {
  ConsumeOptions options{.concurrency = 2};
  options.key = [](const Message& m) -> std::string {
    if (m.stream_sequence() == 2) throw std::runtime_error("no such field");
    return "all";
  };
  std::promise<grpc::Status> reported;
  options.on_error = [&](const grpc::Status& status) { reported.set_value(status); };
  const auto consumption = client_.Consume("orders", options, [](Message&) {});
  auto stream = Accept();
  stream->Deliver(1, 3);
  EXPECT_THAT(stream->AwaitVerdicts(3), UnorderedElementsAre(Seen{1, "ack"}, Seen{2, "nak"}, Seen{3, "ack"}));
  EXPECT_THAT(Await(reported.get_future()).error_message(), HasSubstr("no such field"));
  EXPECT_EQ(consumption.stats().thrown, 1u);
}

}  // namespace
}  // namespace sluice
