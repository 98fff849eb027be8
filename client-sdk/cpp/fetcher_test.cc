// Messages on demand.
#include <future>
#include <thread>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Await;
using ::testing::ElementsAre;
using testing::FakeStream;
using ::testing::IsEmpty;
using Seen = FakeStream::Verdict;

class FetcherTest : public testing::ClientTest {
 protected:
  using Sequences = std::vector<uint64_t>;

  // A fetch in the background that acks what it gets.
  std::future<Sequences> Fetch(size_t n, milliseconds max_wait = seconds(20)) {
    return std::async(std::launch::async, [=, this] {
      Sequences sequences;
      for (Message& m : fetcher_.Fetch(n, max_wait)) {
        sequences.push_back(m.stream_sequence());
        m.Ack();
      }
      return sequences;
    });
  }
  static void AwaitCredit(FakeStream& stream, uint32_t credit) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (stream.credit() != credit && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(stream.credit(), credit);
  }

  Fetcher fetcher_ = client_.Fetcher("orders");
  std::shared_ptr<FakeStream> stream_ = Accept();
};

TEST_F(FetcherTest, AsksOnlyWhileAFetchWaits) {
  EXPECT_TRUE(stream_->AwaitOpen().has_credit());
  EXPECT_EQ(stream_->AwaitOpen().credit().messages(), 0u);
  auto fetch = Fetch(5);
  AwaitCredit(*stream_, 5);
  stream_->Deliver(1, 5);
  EXPECT_THAT(Await(std::move(fetch)), ElementsAre(1, 2, 3, 4, 5));
  AwaitCredit(*stream_, 0);
}

TEST_F(FetcherTest, ReturnsWithFewerSoonAfterTheFirst) {
  auto fetch = Fetch(100);
  AwaitCredit(*stream_, 100);
  stream_->Deliver(1, 2);
  EXPECT_THAT(Await(std::move(fetch)), ElementsAre(1, 2)) << "long before its 20 s";
}

TEST_F(FetcherTest, ReturnsNothingWhenItsTimeIsOver) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(fetcher_.Fetch(3, milliseconds(150)).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(150));
  AwaitCredit(*stream_, 0);
}

TEST_F(FetcherTest, WhatIsStillHeldCountsBesideWhatIsFetched) {
  auto first = std::async(std::launch::async, [this] { return fetcher_.Fetch(2, seconds(20)); });
  AwaitCredit(*stream_, 2);
  stream_->Deliver(1, 2);
  std::vector<Message> held = Await(std::move(first));
  ASSERT_EQ(held.size(), 2u);
  auto second = Fetch(3);
  AwaitCredit(*stream_, 5);
  stream_->Deliver(3, 3);
  EXPECT_THAT(Await(std::move(second)), ElementsAre(3, 4, 5));
}

TEST_F(FetcherTest, FetchesMayRunAtOnce) {
  auto one = Fetch(2), other = Fetch(3);
  AwaitCredit(*stream_, 5);
  stream_->Deliver(1, 5);
  const size_t got = Await(std::move(one)).size() + Await(std::move(other)).size();
  EXPECT_EQ(got, 5u);
}

TEST_F(FetcherTest, WhatComesTooLateIsTheNextFetchs) {
  EXPECT_TRUE(fetcher_.Fetch(3, milliseconds(100)).empty());
  stream_->Deliver(1);
  while (fetcher_.stats().received == 0) std::this_thread::yield();
  EXPECT_THAT(Await(Fetch(1)), ElementsAre(1));
}

TEST_F(FetcherTest, WhatNobodyFetchesIsHandedBack) {
  stream_->Deliver(1, 2);
  EXPECT_THAT(stream_->AwaitVerdicts(2), ElementsAre(Seen{1, "nak"}, Seen{2, "nak"}));
}

TEST_F(FetcherTest, AFetchOutlivesItsStream) {
  auto fetch = Fetch(4);
  AwaitCredit(*stream_, 4);
  stream_->Finish({grpc::StatusCode::UNAVAILABLE, "broken"});
  auto next = Accept();
  AwaitCredit(*next, 4);
  next->Deliver(1, 4);
  EXPECT_THAT(Await(std::move(fetch)), ElementsAre(1, 2, 3, 4));
}

TEST_F(FetcherTest, ADrainEndsFetchesThatWaitAndThoseToCome) {
  auto fetch = Fetch(1);
  AwaitCredit(*stream_, 1);
  fetcher_.StartDrain();
  EXPECT_THAT(Await(std::move(fetch)), IsEmpty());
  stream_->AwaitDrain();
  EXPECT_TRUE(fetcher_.Fetch(1, seconds(20)).empty());
  stream_->Drained();
  EXPECT_TRUE(fetcher_.Closed().ok());
  EXPECT_TRUE(fetcher_.drain_report().completed);
}

TEST_F(FetcherTest, StoppingEndsAFetchThatWaits) {
  auto fetch = Fetch(1);
  AwaitCredit(*stream_, 1);
  fetcher_.Stop();
  EXPECT_THAT(Await(std::move(fetch)), IsEmpty());
}

}  // namespace
}  // namespace sluice
