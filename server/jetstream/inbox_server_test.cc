#include "jetstream/inbox.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

class CountingSink final : public Inbox::Sink {
 public:
  void OnMessage(NatsPtr<natsMsg>) override {
    if (std::this_thread::get_id() != reader.exchange(std::this_thread::get_id())) ++threads;
    late += ended;
    ++messages;
  }
  void OnEnd() override {
    ender = std::this_thread::get_id();
    ended = true;
  }

  std::atomic<std::thread::id> reader;  // of the messages
  std::atomic<int> threads = 0;         // how often that was another one than before
  std::atomic<std::thread::id> ender;
  std::atomic<int> messages = 0;
  std::atomic<int> late = 0;  // after the end
  std::atomic<bool> ended = false;
};

class InboxTest : public ServerTest {
 protected:
  std::shared_ptr<Inbox> Open(std::shared_ptr<CountingSink> sink, const std::string& consumer = "") {
    return loop_.Run([&]() -> std::shared_ptr<Inbox> {
      auto inbox = connection_->OpenInbox(std::move(sink), consumer);
      EXPECT_TRUE(inbox.ok()) << inbox.status();
      return inbox.ok() ? *std::move(inbox) : nullptr;
    });
  }
  void Publish(const Inbox& inbox, int count) {
    loop_.Run([&] {
      const std::string subject = absl::StrCat(inbox.prefix(), "1");
      for (int i = 0; i < count; ++i) ASSERT_TRUE(connection_->Publish(subject.c_str(), "x").ok());
    });
  }
};

// Far more than cnats's own limit of 65,536, beyond which it would drop.
constexpr int kMany = 100'000;

// Each wakes up one thread less so. A subscription's own thread, which is spared, tells of its end.
TEST_P(InboxTest, TheReadingThreadBringsMessagesAndStatuses) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartAdmin());
  ASSERT_TRUE(admin_->CreateStream("S", {"s.>"}).ok());
  ASSERT_TRUE(admin_->CreateConsumer("S", "C").ok());
  ASSERT_TRUE(admin_->PublishNumbers("s.a", 3).ok());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  const auto sink = std::make_shared<CountingSink>();
  std::shared_ptr<Inbox> inbox = Open(sink, "S.C");
  loop_.Run([&] {
    const std::string reply = absl::StrCat(inbox->prefix(), "1");
    ASSERT_TRUE(
        connection_->PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.C", reply.c_str(), R"({"batch":4,"expires":50000000})")
            .ok());
  });
  ASSERT_TRUE(Eventually([&] { return sink->messages == 4; })) << "three, and the pull's end";
  loop_.Run([&] { connection_->RunBlocking([inbox] { inbox->Drain(absl::Seconds(20)); }); });
  ASSERT_TRUE(Eventually([&] { return sink->ended.load(); }));
  EXPECT_EQ(sink->threads, 1);
  EXPECT_NE(sink->reader.load(), sink->ender.load());
}

TEST_P(InboxTest, ADrainDeliversAllThatWasSentBeforeIt) {
  ASSERT_TRUE(StartServer());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  const auto sink = std::make_shared<CountingSink>();
  const auto other = std::make_shared<CountingSink>();
  const std::shared_ptr<Inbox> inbox = Open(sink);
  const std::shared_ptr<Inbox> other_inbox = Open(other);
  Publish(*inbox, kMany);
  loop_.Run([&] { connection_->RunBlocking([inbox] { inbox->Drain(absl::Seconds(20)); }); });
  ASSERT_TRUE(Eventually([&] { return sink->ended.load(); }));
  EXPECT_EQ(sink->messages, kMany);
  EXPECT_EQ(sink->late, 0);
  EXPECT_EQ(other->messages, 0);
  EXPECT_FALSE(other->ended);
}

// cnats 3.4 writes to a subscription that was freed while its messages come; NatsConnection keeps it.
TEST_P(InboxTest, InboxesMayGoWhileMessagesCome) {
  ASSERT_TRUE(StartServer());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  for (int i = 0; i < 20; ++i) {
    const auto sink = std::make_shared<CountingSink>();
    std::shared_ptr<Inbox> inbox = Open(sink);
    Publish(*inbox, 5000);
    ASSERT_TRUE(Eventually([&] { return sink->messages > 0; }));
    inbox.reset();
    ASSERT_TRUE(Eventually([&] { return sink->ended.load(); }));
    EXPECT_EQ(sink->late, 0);
  }
}

TEST_P(InboxTest, TheEndOfTheConnectionEndsAnInbox) {
  ASSERT_TRUE(StartServer());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  const auto sink = std::make_shared<CountingSink>();
  const std::shared_ptr<Inbox> inbox = Open(sink);
  EXPECT_TRUE(loop_.Run([this] { return connection_->Close(); }).ok());
  EXPECT_TRUE(Eventually([&] { return sink->ended.load(); }));
}

INSTANTIATE_TEST_SUITE_P(All, InboxTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
