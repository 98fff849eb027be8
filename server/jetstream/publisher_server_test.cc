#include "jetstream/publisher.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"
#include "jetstream/stream.h"

namespace sluice::jetstream {
namespace {

using ::testing::HasSubstr;

class Nobody final : public Connection::Listener {
  void OnConnection(bool) override {}
};

class PublisherTest : public ServerTest {
 protected:
  void TearDown() override {
    loop_.Run([this] { publisher_.reset(); });
    ServerTest::TearDown();
  }

  void StartAll() {
    ASSERT_TRUE(StartServer());
    ASSERT_TRUE(StartAdmin());
    Connect();
    ASSERT_TRUE(AwaitConnected());
    loop_.Run(
        [this] { publisher_ = std::make_unique<Publisher>(connection_.get(), loop_.loop(), "s.numbers", "run"); });
  }
  absl::Status Create(const StreamConfig& config) {
    return Await([&](StreamCallback done) { CreateStream(connection_.get(), &nobody_, config, std::move(done)); });
  }
  absl::Status Delete(const std::string& name) {
    return Await([&](StreamCallback done) { DeleteStream(connection_.get(), &nobody_, name, std::move(done)); });
  }
  void Publish(int count) {
    loop_.Run([this, count] {
      for (int i = 0; i < count; ++i) publisher_->Publish(absl::StrCat("message ", i));
    });
  }
  uint64_t Confirmed() {
    return loop_.Run([this] { return publisher_->confirmed(); });
  }
  bool AllConfirmed() {
    auto done = std::make_shared<absl::Notification>();
    loop_.Run([this, done] { publisher_->WhenConfirmed([done] { done->Notify(); }); });
    return done->WaitForNotificationWithTimeout(kPatience);
  }
  int64_t Stored() {
    const auto info = admin_->StreamInfo("S");
    return info.ok() ? info->at("state").at("messages").get<int64_t>() : -1;
  }

  Nobody nobody_;
  std::unique_ptr<Publisher> publisher_;

 private:
  template <typename Start>
  absl::Status Await(Start start) {
    struct Answer {
      absl::Notification given;
      absl::Status status;
    };
    auto answer = std::make_shared<Answer>();
    loop_.Run([&] {
      start([answer](const absl::Status& status) {
        answer->status = status;
        answer->given.Notify();
      });
    });
    if (!answer->given.WaitForNotificationWithTimeout(kPatience)) return absl::InternalError("no end");
    return answer->status;
  }
};

StreamConfig SomeStream() {
  return {.name = "S", .subjects = {"s.>"}, .work_queue = true, .duplicate_window = absl::Minutes(2)};
}

TEST_P(PublisherTest, CreatesAndDeletesStreams) {
  ASSERT_NO_FATAL_FAILURE(StartAll());
  ASSERT_TRUE(Create(SomeStream()).ok());
  const auto info = admin_->StreamInfo("S");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->at("config").at("retention"), "workqueue");
  EXPECT_EQ(info->at("config").at("duplicate_window"), absl::ToInt64Nanoseconds(absl::Minutes(2)));

  StreamConfig overlapping = SomeStream();
  overlapping.name = "T";
  const absl::Status refused = Create(overlapping);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("creating stream T: subjects overlap"));

  EXPECT_TRUE(Delete("S").ok());
  EXPECT_FALSE(admin_->StreamInfo("S").ok());
  EXPECT_TRUE(Delete("S").ok());  // there is none any more, as wanted
}

TEST_P(PublisherTest, EveryMessageIsConfirmedAndStoredAsItWas) {
  ASSERT_NO_FATAL_FAILURE(StartAll());
  ASSERT_TRUE(Create(SomeStream()).ok());
  EXPECT_TRUE(AllConfirmed());  // of none
  Publish(5'000);
  EXPECT_TRUE(AllConfirmed());
  EXPECT_EQ(Confirmed(), 5'000u);
  EXPECT_EQ(loop_.Run([this] { return publisher_->unconfirmed(); }), 0u);
  EXPECT_EQ(Stored(), 5'000);
  const auto message = admin_->Api("STREAM.MSG.GET.S", {{"seq", 11}});
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->at("message").at("subject"), "s.numbers");
  EXPECT_EQ(message->at("message").at("data"), "bWVzc2FnZSAxMA==");  // "message 10"
}

TEST_P(PublisherTest, WhatHasNoStreamYetIsPublishedAgain) {
  ASSERT_NO_FATAL_FAILURE(StartAll());
  Publish(10);
  ASSERT_TRUE(Eventually([this] { return !loop_.Run([this] { return publisher_->last_error(); }).empty(); }));
  EXPECT_EQ(Confirmed(), 0u);
  ASSERT_TRUE(Create(SomeStream()).ok());
  EXPECT_TRUE(AllConfirmed());
  EXPECT_EQ(Stored(), 10);
}

TEST_P(PublisherTest, ARestartOfTheServerLosesAndDoublesNothing) {
  ASSERT_NO_FATAL_FAILURE(StartAll());
  ASSERT_TRUE(Create(SomeStream()).ok());
  Publish(1'000);
  server_->Stop();  // some are stored, and of some of those the PubAck is lost
  Publish(1'000);
  ASSERT_TRUE(server_->Restart().ok());
  EXPECT_TRUE(AllConfirmed());
  EXPECT_EQ(Confirmed(), 2'000u);
  ASSERT_TRUE(StartAdmin());
  EXPECT_EQ(Stored(), 2'000);
}

INSTANTIATE_TEST_SUITE_P(Servers, PublisherTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
