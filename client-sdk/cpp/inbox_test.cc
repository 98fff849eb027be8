// The order in which messages are taken, with keys and without. Readers do not wait here: what a test takes is there.
#include "client-sdk/cpp/inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "client-sdk/cpp/frame_fixture.h"
#include "client-sdk/cpp/session.h"

namespace sluice::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Sequences = std::vector<uint64_t>;

constexpr uint64_t kNoKey = 0;

class InboxTest : public ::testing::Test {
 protected:
  InboxTest() { inbox_.Resume(); }
  ~InboxTest() override { inbox_.Close(); }

  // A frame of messages that have these lanes; their sequences go on from frame to frame.
  std::shared_ptr<Frame> Push(const std::vector<uint64_t>& lanes) {
    v1::ConsumeResponse response;
    for (size_t i = 0; i < lanes.size(); ++i) {
      response.mutable_deliveries()->add_deliveries()->set_stream_sequence(++sequence_);
    }
    auto frame = testing::ReadFrame(session_, response);
    for (size_t i = 0; i < lanes.size(); ++i) {
      frame->held[i].lane = lanes[i];
      frame->laned |= lanes[i] != kNoKey;
    }
    inbox_.Push(frame);
    return frame;
  }
  // The next one; 0: none may start.
  uint64_t Next() {
    const Sequences one = Take(1);
    return one.empty() ? 0 : one[0];
  }
  Sequences Take(size_t most) {
    std::vector<Message> batch;
    inbox_.Take(place_, most, Inbox::Time(), batch);
    Sequences sequences;
    for (Message& message : batch) sequences.push_back(message.stream_sequence());
    for (Message& message : batch) kept_.push_back(std::move(message));  // started, and not settled
    return sequences;
  }

  const std::shared_ptr<Session> session_ =
      std::make_shared<Session>(SessionOptions{.consumer = "orders", .client_id = "me"});
  Inbox inbox_;
  std::shared_ptr<Frame> place_;
  std::vector<Message> kept_;
  uint64_t sequence_ = 0;
};

TEST_F(InboxTest, WithoutKeysAllMayStartInOrder) {
  Push({0, 0, 0});
  Push({0});
  EXPECT_EQ(Next(), 1u);
  EXPECT_THAT(Take(256), ElementsAre(2, 3)) << "a batch is of one frame";
  EXPECT_EQ(Next(), 4u);
  EXPECT_EQ(Next(), 0u);
}

TEST_F(InboxTest, OneOfAKeyStartsWhenTheOneBeforeHasLeft) {
  Push({7, 7, 9, 7});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 3u) << "another key does not wait";
  EXPECT_EQ(Next(), 0u);
  inbox_.Leave(7);
  EXPECT_EQ(Next(), 2u);
  EXPECT_EQ(Next(), 0u);
  inbox_.Leave(7);
  EXPECT_EQ(Next(), 4u);
}

TEST_F(InboxTest, WhatWaitedIsOlderThanWhatComes) {
  Push({7, 7});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 0u);
  Push({0, 7});
  inbox_.Leave(7);
  EXPECT_EQ(Next(), 2u);
  EXPECT_EQ(Next(), 3u);
  EXPECT_EQ(Next(), 0u);
}

TEST_F(InboxTest, FramesWithAndWithoutKeysKeepTheirOrder) {
  Push({7});
  Push({0});
  Push({9});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 2u);
  EXPECT_EQ(Next(), 3u);
}

TEST_F(InboxTest, WhatWasDroppedWhileItWaitedHoldsNobodyUp) {
  const auto frame = Push({7, 7, 7, 7});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 0u);
  EXPECT_TRUE(frame->held[1].Drop());
  EXPECT_TRUE(frame->held[2].Drop());
  inbox_.Leave(7);
  EXPECT_EQ(Next(), 4u);
  inbox_.Leave(7);
  Push({7});
  EXPECT_EQ(Next(), 5u);
}

TEST_F(InboxTest, ALaneWhereAllThatWaitedWasDroppedIsFree) {
  const auto frame = Push({7, 7});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 0u);
  EXPECT_TRUE(frame->held[1].Drop());
  inbox_.Leave(7);
  Push({7});
  EXPECT_EQ(Next(), 3u);
}

TEST_F(InboxTest, ABatchMayHoldManyOfAKeyAsOneThreadHasThem) {
  Push({7, 9, 7, 7});
  EXPECT_THAT(Take(256), ElementsAre(1, 2, 3, 4));
  Push({7, 9, 8});
  EXPECT_THAT(Take(256), ElementsAre(7)) << "the other keys are with the first batch";
  for (int i = 0; i < 3; ++i) inbox_.Leave(7);
  EXPECT_THAT(Take(256), ElementsAre(5)) << "9 is still there";
  inbox_.Leave(9);
  EXPECT_THAT(Take(256), ElementsAre(6));
}

TEST_F(InboxTest, AFullBatchLeavesTheRestOfAKeyWaiting) {
  Push({7, 7, 7, 7});
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Next(), 0u);
  inbox_.Leave(7);
  EXPECT_THAT(Take(2), ElementsAre(2, 3));
  EXPECT_THAT(Take(2), IsEmpty());
  inbox_.Leave(7);
  EXPECT_THAT(Take(2), IsEmpty()) << "one of the two is still at work";
  inbox_.Leave(7);
  EXPECT_THAT(Take(2), ElementsAre(4));
}

TEST_F(InboxTest, NothingStartsWhilePaused) {
  Push({7, 0});
  inbox_.Pause();
  EXPECT_EQ(Next(), 0u);
  inbox_.Resume();
  EXPECT_EQ(Next(), 1u);
}

TEST_F(InboxTest, ALaneThatIsFreeWakesAReader) {
  Push({7, 7});
  EXPECT_EQ(Next(), 1u);
  auto reader = std::async(std::launch::async, [this] {
    std::shared_ptr<Frame> place;
    return inbox_.Next(place)->stream_sequence();
  });
  inbox_.Leave(7);
  EXPECT_EQ(reader.get(), 2u);
}

TEST_F(InboxTest, FinishingEndsThoseThatWait) {
  auto reader = std::async(std::launch::async, [this] {
    std::shared_ptr<Frame> place;
    std::vector<Message> batch;
    return inbox_.Take(place, 10, Inbox::kForever, batch);
  });
  inbox_.Finish();
  EXPECT_FALSE(reader.get());
  Push({0});
  EXPECT_EQ(Next(), 1u) << "what is there may still be taken";
}

}  // namespace
}  // namespace sluice::internal
