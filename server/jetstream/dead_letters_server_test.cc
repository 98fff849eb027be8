// Dead letters against real servers: what is stored, what is refused, and what the server tells of what it gives up.
#include "jetstream/dead_letters.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/publish.h"
#include "jetstream/redrive.h"
#include "jetstream/server_fixture.h"
#include "jetstream/stored_message.h"

namespace sluice::jetstream {
namespace {

using ::testing::HasSubstr;

// Keeps what a sink tells. Any thread may ask.
class Letters final : public core::DeadLetterSink::Listener {
 public:
  void OnPublished(uint64_t tag, const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    published_.emplace_back(tag, status);
  }
  void OnFetched(uint64_t, absl::StatusOr<core::Message> message) override {
    absl::MutexLock lock(&mutex_);
    fetched_.push_back(std::move(message));
  }
  void OnGivenUp(uint64_t stream_sequence, uint64_t deliveries) override {
    absl::MutexLock lock(&mutex_);
    given_up_[stream_sequence] = deliveries;
  }

  template <typename Condition>
  bool Await(Condition condition, absl::Duration patience = kPatience) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), patience);
  }
  size_t GivenUp() {
    absl::MutexLock lock(&mutex_);
    return given_up_.size();
  }

  absl::Mutex mutex_;
  std::vector<std::pair<uint64_t, absl::Status>> published_;
  std::vector<absl::StatusOr<core::Message>> fetched_;
  std::map<uint64_t, uint64_t> given_up_;
};

class Nobody final : public Connection::Listener {
  void OnConnection(bool) override {}
};

class DeadLettersTest : public SourceTest {
 protected:
  bool StartAll(core::DurableConfig config = {}) {
    if (!SourceTest::StartAll()) return false;
    if (source_ != nullptr) loop_.Run([this] { source_.reset(); });
    MakeSource(std::move(config));
    EXPECT_TRUE(Attach().ok());
    MakeSink(&sink_, &letters_);
    return true;
  }
  void MakeSink(std::unique_ptr<JetStreamDeadLetters>* sink, Letters* letters) {
    loop_.Run([&] {
      *sink = std::make_unique<JetStreamDeadLetters>(connection_.get(), loop_.loop(), "S", "worker");
      (*sink)->Start(letters);
    });
  }
  void TearDown() override {
    loop_.Run([this] {
      sink_.reset();
      other_sink_.reset();
    });
    SourceTest::TearDown();
  }
  bool CreateDeadStream(const nlohmann::json& more = nlohmann::json::object()) {
    const absl::Status created = admin_->CreateStream("DEAD", {"dead.>"}, more);
    EXPECT_TRUE(created.ok()) << created;
    return created.ok();
  }
  core::DeadLetter Letter(const core::Message& message) {
    core::DeadLetterFacts facts;
    facts.stream = "S";
    facts.durable = "worker";
    facts.attempts = message.num_delivered;
    facts.last_attempt = absl::Now();
    return core::MakeDeadLetter("dead.s", message, facts);
  }
  absl::Status Publish(const core::DeadLetter& letter) {
    const size_t before = letters_.published_.size();
    loop_.Run([&] { sink_->Publish(letter, 1); });
    if (!letters_.Await([&] { return letters_.published_.size() > before; })) return absl::InternalError("no end");
    return letters_.published_.back().second;
  }
  absl::StatusOr<core::Message> Fetch(uint64_t sequence) {
    const size_t before = letters_.fetched_.size();
    loop_.Run([&] { sink_->Fetch(sequence); });
    if (!letters_.Await([&] { return letters_.fetched_.size() > before; })) return absl::InternalError("no end");
    return std::move(letters_.fetched_.back());
  }
  int64_t Count(const std::string& stream) {
    const auto info = admin_->StreamInfo(stream);
    return info.ok() ? info->at("state").at("messages").get<int64_t>() : -1;
  }
  core::Message StoredIn(const std::string& stream, uint64_t sequence) {
    const auto body = admin_->Api(absl::StrCat("STREAM.MSG.GET.", stream), {{"seq", sequence}});
    EXPECT_TRUE(body.ok()) << body.status();
    auto message = ParseStoredMessage(body.ok() ? body->dump() : "");
    EXPECT_TRUE(message.ok()) << message.status();
    return message.ok() ? *std::move(message) : core::Message();
  }
  static std::string HeaderOf(const core::Message& message, absl::string_view name) {
    for (const core::Header& header : message.headers) {
      if (header.name == name) return std::string(header.value);
    }
    return "(none)";
  }
  // Receives message 1 of s.a.
  const core::Message& ReceiveOne() {
    SourceTest::Publish(1);
    Pull(1, 1);
    EXPECT_TRUE(recorder_.AwaitMessages(1));
    return recorder_.messages_.front();
  }
  RedriveReport Redrive(const RedriveOrder& order, const absl::Status& expected = absl::OkStatus()) {
    RedriveReport report;
    const absl::Status status = jetstream::Redrive(
        Options(), order, kPatience, [](const RedriveReport&) {}, &report);
    EXPECT_EQ(status.code(), expected.code()) << status;
    redrive_error_ = std::string(status.message());
    return report;
  }

  Letters letters_;
  Letters other_letters_;
  std::unique_ptr<JetStreamDeadLetters> sink_;
  std::unique_ptr<JetStreamDeadLetters> other_sink_;
  std::string redrive_error_;
  Nobody nobody_;
  const RedriveOrder all_ = {"S", "worker", "dead.s", "", 0, false};
};

TEST_P(DeadLettersTest, IsStoredOnceHoweverOftenItIsPublished) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(CreateDeadStream());
  const core::DeadLetter letter = Letter(ReceiveOne());
  EXPECT_TRUE(Publish(letter).ok());
  EXPECT_TRUE(Publish(letter).ok());
  EXPECT_EQ(Count("DEAD"), 1);
  const core::Message stored = StoredIn("DEAD", 1);
  EXPECT_EQ(stored.data, "1");
  EXPECT_EQ(HeaderOf(stored, "Sluice-Dead-Letter-Subject"), "s.a");
  EXPECT_EQ(HeaderOf(stored, "Sluice-Dead-Letter-Sequence"), "1");
}

TEST_P(DeadLettersTest, WithoutAStreamItSaysSo) {
  ASSERT_TRUE(StartAll());
  const absl::Status status = Publish(Letter(ReceiveOne()));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no stream holds the subject 'dead.s'; add it to one"));
}

TEST_P(DeadLettersTest, AStreamThatIsFullSaysSo) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(CreateDeadStream({{"max_msgs", 1}, {"discard", "new"}}));
  ASSERT_TRUE(admin_->Publish("dead.s", "x").ok());
  const absl::Status status = Publish(Letter(ReceiveOne()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("maximum messages exceeded"));
  EXPECT_EQ(Count("DEAD"), 1);
}

// Its id is the same whether the message was delivered or looked up.
TEST_P(DeadLettersTest, WhatIsLookedUpIsWhatWasDelivered) {
  ASSERT_TRUE(StartAll());
  const core::Message& delivered = ReceiveOne();
  const auto stored = Fetch(1);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->timestamp_ns, delivered.timestamp_ns);
  EXPECT_EQ(stored->stream_sequence, delivered.stream_sequence);
  EXPECT_EQ(stored->subject, delivered.subject);
  EXPECT_EQ(stored->data, delivered.data);
  EXPECT_TRUE(absl::IsNotFound(Fetch(2).status()));
}

// One daemon of the fleet hears of what the server gives up; nobody has to settle it, as it is not pending any more.
TEST_P(DeadLettersTest, OfWhatTheServerGivesUpOneIsTold) {
  constexpr int kMessages = 20;
  core::DurableConfig config;
  config.max_deliver = 1;
  config.ack_wait = absl::Milliseconds(100);
  ASSERT_TRUE(StartAll(std::move(config)));
  MakeSink(&other_sink_, &other_letters_);
  SourceTest::Publish(kMessages);
  Pull(1, kMessages);
  ASSERT_TRUE(recorder_.AwaitMessages(kMessages));
  Pull(2, 1, absl::Seconds(10));  // some servers only look at what is due while somebody pulls
  ASSERT_TRUE(Eventually([&] { return letters_.GivenUp() + other_letters_.GivenUp() == kMessages; }))
      << letters_.GivenUp() << " and " << other_letters_.GivenUp();
  EXPECT_GT(letters_.GivenUp(), 0u);
  EXPECT_GT(other_letters_.GivenUp(), 0u);
  for (const auto& [sequence, deliveries] : letters_.given_up_) {
    EXPECT_FALSE(other_letters_.given_up_.contains(sequence));
    EXPECT_EQ(deliveries, 1u);
  }
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0; })) << Told("num_ack_pending");
  EXPECT_EQ(Count("S"), kMessages);
  // One that leaves leaves the rest to the others.
  loop_.Run([this] { sink_->StopListening(); });
  const size_t before = letters_.GivenUp();
  SourceTest::Publish(kMessages, kMessages + 1);
  Pull(3, kMessages);
  ASSERT_TRUE(recorder_.AwaitMessages(2 * kMessages));
  Pull(4, 1, absl::Seconds(10));
  ASSERT_TRUE(Eventually([&] { return letters_.GivenUp() + other_letters_.GivenUp() == 2 * kMessages; }));
  EXPECT_EQ(letters_.GivenUp(), before);
}

// --- redrive ---

TEST_P(DeadLettersTest, ARedrivenLetterIsTheMessageAgainAndItsLetterIsGone) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(CreateDeadStream());
  core::Message message =
      std::move(recorder_.messages_.empty() ? const_cast<core::Message&>(ReceiveOne()) : recorder_.messages_.front());
  message.headers = {{"Trace", "a"}, {"Trace", "b"}, {"Nats-Msg-Id", "mine"}, {"Nats-Rollup", "all"}};
  ASSERT_TRUE(Publish(Letter(message)).ok());
  ASSERT_EQ(Count("DEAD"), 1) << "Nats-Rollup does nothing there";
  const RedriveReport report = Redrive(all_);
  EXPECT_EQ(report.redriven, 1u);
  EXPECT_EQ(report.dead_letter_stream, "DEAD");
  EXPECT_EQ(report.by_subject.at("s.a"), 1u);
  EXPECT_EQ(Count("DEAD"), 0);
  EXPECT_EQ(Count("S"), 2) << "nor did it purge the stream that it went back to";
  const core::Message again = StoredIn("S", 2);
  EXPECT_EQ(again.subject, "s.a");
  EXPECT_EQ(again.data, "1");
  EXPECT_EQ(HeaderOf(again, "Trace"), "a");
  EXPECT_EQ(HeaderOf(again, "Sluice-Original-Nats-Msg-Id"), "mine");
  EXPECT_EQ(HeaderOf(again, "Sluice-Redriven-From"), "DEAD/1");
  EXPECT_EQ(HeaderOf(again, "Sluice-Dead-Letter-Reason"), "(none)");
  EXPECT_EQ(Redrive(all_).redriven, 0u);
}

// Killed between the two: what was put back is not put back again. Mutation: a Nats-Msg-Id that is not the letter's.
TEST_P(DeadLettersTest, ARedriveThatWasCutOffRepeatsNothing) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(CreateDeadStream());
  ASSERT_TRUE(Publish(Letter(ReceiveOne())).ok());
  // As the one that was killed had left it: put back, and not removed.
  const std::string id = absl::StrCat("sluice-redrive/DEAD/1/", StoredIn("DEAD", 1).timestamp_ns);
  Letters put_back;
  loop_.Run([&] {
    PublishToStream(connection_.get(), &nobody_, "s.a", {{"Nats-Msg-Id", id}}, "1", kPatience,
                    [&](const absl::StatusOr<PubAck>& ack) { put_back.OnPublished(1, ack.status()); });
  });
  ASSERT_TRUE(put_back.Await([&] { return put_back.published_.size() == 1; }));
  ASSERT_TRUE(put_back.published_[0].second.ok()) << put_back.published_[0].second;
  ASSERT_EQ(Count("S"), 2);
  const RedriveReport report = Redrive(all_);
  EXPECT_EQ(report.redriven, 1u);
  EXPECT_EQ(report.repeated, 1u);
  EXPECT_EQ(Count("S"), 2);
  EXPECT_EQ(Count("DEAD"), 0);
}

TEST_P(DeadLettersTest, ARedriveTakesOnlyWhatItIsTold) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(CreateDeadStream());
  core::Message message = std::move(const_cast<core::Message&>(ReceiveOne()));
  for (uint64_t sequence = 1; sequence <= 6; ++sequence) {
    message.stream_sequence = sequence;
    message.subject = sequence % 2 == 0 ? "s.even" : "s.odd.x";
    ASSERT_TRUE(Publish(Letter(message)).ok());
  }
  message.stream_sequence = 7;
  message.subject = "$JS.API.STREAM.DELETE.S";  // forged
  ASSERT_TRUE(Publish(Letter(message)).ok());
  ASSERT_TRUE(admin_->Publish("dead.s", "somebody else's").ok());
  ASSERT_TRUE(admin_->Publish("dead.other", "of another subject").ok());

  RedriveOrder order = all_;
  order.dry_run = true;
  RedriveReport report = Redrive(order);
  EXPECT_EQ(report.redriven, 6u);
  EXPECT_EQ(report.of_others, 1u);
  EXPECT_EQ(report.num_unusable, 1u);
  EXPECT_EQ(Count("DEAD"), 9) << "nothing is changed";
  EXPECT_EQ(Count("S"), 1);

  order.dry_run = false;
  order.filter = "s.*";
  order.limit = 2;
  report = Redrive(order);
  EXPECT_EQ(report.redriven, 2u);
  EXPECT_EQ(report.by_subject.at("s.even"), 2u);
  EXPECT_EQ(Count("S"), 3);

  report = Redrive(all_);
  EXPECT_EQ(report.redriven, 4u);
  ASSERT_EQ(report.unusable.size(), 1u);
  EXPECT_THAT(report.unusable[0], HasSubstr("its subject '$JS.API.STREAM.DELETE.S' is none of stream S any more"));
  EXPECT_EQ(Count("S"), 7);
  EXPECT_EQ(Count("DEAD"), 3);

  RedriveOrder other = all_;
  other.durable = "another";
  EXPECT_EQ(Redrive(other).redriven, 0u);
}

TEST_P(DeadLettersTest, ARedriveThatCannotSaysWhatToDo) {
  ASSERT_TRUE(StartAll());
  Redrive(all_, absl::NotFoundError(""));
  EXPECT_THAT(redrive_error_, HasSubstr("no stream holds the subject 'dead.s'"));
  ASSERT_TRUE(CreateDeadStream({{"deny_delete", true}}));
  Redrive(all_, absl::FailedPreconditionError(""));
  EXPECT_THAT(redrive_error_, HasSubstr("without deny_delete"));
}

INSTANTIATE_TEST_SUITE_P(All, DeadLettersTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
