// Messages as a range.
#include <future>
#include <latch>
#include <thread>

#include "client-sdk/cpp/client_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FakeStream;
using Seen = FakeStream::Verdict;

class MessagesTest : public testing::ClientTest {};

TEST_F(MessagesTest, ARangeGivesTheMessagesAndNaksWhatGetsNoVerdict) {
  auto messages = client_.Messages("orders");
  auto stream = Accept();
  stream->Deliver(1, 3);
  std::vector<uint64_t> seen;
  std::optional<Message> kept;
  for (Message& m : messages) {
    seen.push_back(m.stream_sequence());
    if (m.stream_sequence() == 1) m.Ack();
    if (m.stream_sequence() == 3) {
      kept.emplace(std::move(m));
      break;
    }
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
  EXPECT_THAT(stream->AwaitVerdicts(2), ElementsAre(Seen{1, "ack"}, Seen{2, "nak"}));
  kept->Ack();
  EXPECT_EQ(stream->AwaitVerdicts(3).back(), (Seen{3, "ack"}));
}

TEST_F(MessagesTest, ARangeEndsWithItsConsumption) {
  auto messages = client_.Messages("orders");
  auto loop = std::async(std::launch::async, [&] {
    int count = 0;
    for (Message& m : messages) count += m.Ack();
    return count;
  });
  auto stream = Accept();
  stream->Deliver(1, 5);
  stream->AwaitVerdicts(5);
  client_.Stop();
  EXPECT_EQ(loop.get(), 5);
  EXPECT_TRUE(messages.Closed().ok());
}

TEST_F(MessagesTest, SeveralLoopsShareARange) {
  auto messages = client_.Messages("orders");
  std::latch both(2);
  const auto loop = [&] {
    for (Message& m : messages) {
      if (m.stream_sequence() <= 2) both.arrive_and_wait();  // one of the two each
      m.Ack();
    }
  };
  std::thread one(loop), other(loop);
  auto stream = Accept();
  stream->Deliver(1, 2);
  stream->AwaitVerdicts(2);
  messages.Stop();
  one.join();
  other.join();
}

TEST_F(MessagesTest, ADrainHandsBackWhatNoLoopWillTake) {
  auto messages = client_.Messages("orders");
  auto stream = Accept();
  stream->Deliver(1, 3);
  for (Message& m : messages) {
    m.Ack();
    break;
  }
  messages.StartDrain();
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "ack"}, Seen{2, "nak"}, Seen{3, "nak"}));
  stream->AwaitDrain();
}

TEST_F(MessagesTest, ALoopThatIsLeftInADrainHandsBackTheRest) {
  auto messages = client_.Messages("orders");
  auto stream = Accept();
  stream->Deliver(1, 3);
  for (Message& m : messages) {
    messages.StartDrain();
    stream->AwaitDrain();
    m.Ack();
    break;
  }
  EXPECT_THAT(stream->AwaitVerdicts(3), ElementsAre(Seen{1, "ack"}, Seen{2, "nak"}, Seen{3, "nak"}));
}

}  // namespace
}  // namespace sluice
