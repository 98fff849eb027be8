#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/connection.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using testing::ElementsAre;

// What comes to an inbox, as "payload" or "payload -> reply".
class Arrivals final : public Inbox::Sink {
 public:
  void OnMessage(NatsPtr<natsMsg> msg) override {
    std::string text(natsMsg_GetData(msg.get()), natsMsg_GetDataLength(msg.get()));
    if (const char* reply = natsMsg_GetReply(msg.get()); reply != nullptr) absl::StrAppend(&text, " -> ", reply);
    absl::MutexLock lock(&mutex_);
    texts_.push_back(std::move(text));
  }
  void OnEnd() override {}
  std::vector<std::string> texts() const {
    absl::MutexLock lock(&mutex_);
    return texts_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> texts_;
};

// What is small is put together for one write, what is large goes by cnats: see Connection::Keep().
class PublishTest : public ServerTest {
 protected:
  void Open() {
    ASSERT_TRUE(StartServer());
    Connect();
    ASSERT_TRUE(AwaitConnected());
    inbox_ = loop_.Run([this] { return connection_->OpenInbox(arrivals_).value(); });
    subject_ = absl::StrCat(inbox_->prefix(), "1");
  }
  void TearDown() override {
    loop_.Run([this] { inbox_.reset(); });
    ServerTest::TearDown();
  }
  void Publish(const std::string& text) { EXPECT_TRUE(connection_->Publish(subject_.c_str(), text).ok()); }
  bool Await(size_t count) {
    return Eventually([&] { return arrivals_->texts().size() >= count; });
  }

  const std::shared_ptr<Arrivals> arrivals_ = std::make_shared<Arrivals>();
  std::unique_ptr<Inbox> inbox_;
  std::string subject_;
};

TEST_P(PublishTest, OneAloneIsWritten) {
  Open();
  for (size_t i = 1; i <= 20; ++i) {
    loop_.Run([&] { Publish(absl::StrCat(i)); });
    ASSERT_TRUE(Await(i));
  }
}

TEST_P(PublishTest, NothingOvertakesWhateverItsSize) {
  Open();
  std::vector<std::string> published;
  loop_.Run([&] {
    for (int i = 0; i < 1000; ++i) {
      // 511 to 514 bytes now and then: on both sides of what is kept.
      published.push_back(absl::StrCat(i, std::string(i % 50 < 4 ? 508 + i % 50 : i % 40, 'x')));
      Publish(published.back());
      if (i % 100 != 0) continue;
      ASSERT_TRUE(connection_->PublishRequest(subject_.c_str(), "who.asks", absl::StrCat(i)).ok());
      published.push_back(absl::StrCat(i, " -> who.asks"));
      if (i % 200 == 0) connection_->Flush();
    }
  });
  ASSERT_TRUE(Await(published.size()));
  EXPECT_EQ(arrivals_->texts(), published);
}

TEST_P(PublishTest, EmptyAndOddPayloadsArrive) {
  Open();
  const std::string odd("\r\nPUB x 3\r\n\0+OK\r\n", 17);
  loop_.Run([&] {
    Publish("");
    Publish(odd);
    Publish("last");
  });
  ASSERT_TRUE(Await(3));
  EXPECT_THAT(arrivals_->texts(), ElementsAre("", odd, "last"));
}

// A pull that was given up with the connection must not bring messages on the next one.
TEST_P(PublishTest, NothingIsSentLateOnceTheConnectionIsLost) {
  Open();
  loop_.Run([&] {
    server_->Kill();
    Publish("late");
    EXPECT_TRUE(Eventually([&] { return !connection_->PublishRequest(subject_.c_str(), "who.asks", "late").ok(); }));
  });
  ASSERT_TRUE(server_->Restart().ok());
  ASSERT_TRUE(Eventually([this] { return Status().reconnects == 1 && Status().connected; }));
  loop_.Run([&] { Publish("now"); });
  ASSERT_TRUE(Await(1));
  EXPECT_THAT(arrivals_->texts(), ElementsAre("now"));
}

INSTANTIATE_TEST_SUITE_P(All, PublishTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
