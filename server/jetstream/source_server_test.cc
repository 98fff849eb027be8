#include "jetstream/source.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using core::Settlement;
using core::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = core::PullStatus::Kind;

Settlement Only(Verdict verdict) { return {verdict, absl::ZeroDuration(), ""}; }

class JetStreamSourceTest : public SourceTest {
 protected:
  bool StartAttached(core::DurableConfig config = {}) {
    if (!StartAll()) return false;
    loop_.Run([this] { source_.reset(); });
    MakeSource(std::move(config));
    const auto info = Attach();
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok();
  }

  // Publishes exactly these bytes, which no client library would let through.
  bool PublishRaw(const std::string& subject, const std::string& headers, const std::string& data) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
    const std::string bytes =
        absl::StrCat("CONNECT {\"headers\":true,\"verbose\":false}\r\n", "HPUB ", subject, " ", headers.size(), " ",
                     headers.size() + data.size(), "\r\n", headers, data, "\r\nPING\r\n");
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    std::string answer;
    char buffer[4096];
    while (answer.find("PONG\r\n") == std::string::npos) {
      const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
      if (n <= 0 || answer.find("-ERR") != std::string::npos) return false;
      answer.append(buffer, static_cast<size_t>(n));
    }
    return true;
  }

  const core::Message& message(size_t i) { return recorder_.messages_[i]; }
};

// --- messages ---

TEST_P(JetStreamSourceTest, MessagesComeWithTheirNumbers) {
  ASSERT_TRUE(StartAttached());
  Publish(5);
  Pull(1, 3);
  ASSERT_TRUE(recorder_.AwaitMessages(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(message(i).subject, "s.a");
    EXPECT_EQ(message(i).data, absl::StrCat(i + 1));
    EXPECT_EQ(message(i).stream_sequence, i + 1);
    EXPECT_EQ(message(i).consumer_sequence, i + 1);
    EXPECT_EQ(message(i).num_delivered, 1u);
    EXPECT_EQ(message(i).num_pending, 4 - i);
    EXPECT_LT(absl::AbsDuration(absl::FromUnixNanos(message(i).timestamp_ns) - absl::Now()), absl::Minutes(1));
    EXPECT_TRUE(message(i).headers.empty());
    EXPECT_EQ(message(i).reply.data()[message(i).reply.size()], '\0');
  }
}

TEST_P(JetStreamSourceTest, HeadersOfAnyBytesComeExactly) {
  ASSERT_TRUE(StartAttached());
  std::string odd;
  for (int byte = 0; byte < 256; ++byte) {
    if (byte != '\r' && byte != '\n') odd += static_cast<char>(byte);
  }
  const std::string data("\0\r\n\xff payload \0", 15);
  ASSERT_TRUE(
      PublishRaw("s.odd",
                 absl::StrCat("NATS/1.0\r\nZ: last first\r\nOdd:x", odd, "\r\nA: 1\r\nz: other case\r\nA: 2\r\n",
                              "Trailing: kept  \r\nEmpty:\r\n\xfc\xfd: name\r\n\r\n"),
                 data));
  Pull(1, 1);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  std::vector<std::pair<std::string, std::string>> headers;
  for (const core::Header& header : message(0).headers) headers.emplace_back(header.name, header.value);
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(headers, ElementsAre(Pair("Z", "last first"), Pair("Odd", absl::StrCat("x", odd)), Pair("A", "1"),
                                   Pair("z", "other case"), Pair("A", "2"), Pair("Trailing", "kept  "),
                                   Pair("Empty", ""), Pair("\xfc\xfd", "name")));
  EXPECT_EQ(message(0).data, data);
}

TEST_P(JetStreamSourceTest, ThousandsOfHeadersCome) {
  ASSERT_TRUE(StartAttached());
  constexpr int kCount = 4096;
  std::string headers = "NATS/1.0\r\n";
  for (int i = 0; i < kCount; ++i) absl::StrAppend(&headers, "H", i, ": v", i, "\r\n");
  headers += "\r\n";
  ASSERT_LT(headers.size(), size_t{65536}) << "the server's limit";
  ASSERT_TRUE(PublishRaw("s.many", headers, ""));
  Pull(1, 1);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  ASSERT_EQ(message(0).headers.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(message(0).headers[i].name, absl::StrCat("H", i));
    ASSERT_EQ(message(0).headers[i].value, absl::StrCat("v", i));
  }
  EXPECT_EQ(message(0).data, "");
}

TEST_P(JetStreamSourceTest, EmptyAndLargestPayloadsCome) {
  ASSERT_TRUE(StartAttached());
  ASSERT_TRUE(admin_->Publish("s.a", "").ok());
  std::string largest(1 << 20, '\0');  // the server's default max_payload
  for (size_t i = 0; i < largest.size(); ++i) largest[i] = static_cast<char>(i * 7);
  ASSERT_TRUE(admin_->Publish("s.b", largest).ok());
  Pull(1, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  EXPECT_EQ(message(0).data, "");
  EXPECT_TRUE(message(1).data == largest);
}

TEST_P(JetStreamSourceTest, WhatOthersSendToTheInboxIsIgnored) {
  ASSERT_TRUE(StartAttached());
  Publish(1);
  Pull(1, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  // A stored message that looks like a status is a message.
  ASSERT_TRUE(PublishRaw("s.a", "NATS/1.0 408 Request Timeout\r\n\r\n", "x"));
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  EXPECT_EQ(message(1).data, "x");
  EXPECT_TRUE(recorder_.statuses_.empty());
}

// --- ends of pulls ---

TEST_P(JetStreamSourceTest, AnIdlePullExpiresWithHeartbeats) {
  ASSERT_TRUE(StartAttached());
  Pull(7, 10, absl::Milliseconds(500), 0, absl::Milliseconds(100));
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kExpired);
  EXPECT_EQ(recorder_.statuses_[0].pull_id, 7u);
  EXPECT_THAT(recorder_.statuses_[0].description, HasSubstr("408"));
  EXPECT_GE(recorder_.heartbeats_, 2);
}

TEST_P(JetStreamSourceTest, AStatusComesAfterTheMessagesBeforeIt) {
  ASSERT_TRUE(StartAttached());
  Publish(3);
  Pull(1, 10, absl::Milliseconds(200));
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_THAT(recorder_.events_, ElementsAre("message", "message", "message", "status 1"));
}

// Core's short pulls rest on this (PullWindow). 2.9.10 drops one without a word if there is a message for it just then.
TEST_P(JetStreamSourceTest, AShortPullThatEndsAmongMessagesSaysSo) {
  core::DurableConfig config;
  config.max_ack_pending = 1'000'000;
  ASSERT_TRUE(StartAttached(std::move(config)));
  const auto info = Info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->tells_expiry, VersionAtLeast(10, 4));
  if (!info->tells_expiry) return;
  std::atomic<bool> enough = false;
  std::thread publisher([&] {
    while (!enough) Publish(1);
  });
  for (uint64_t id = 1; id <= 50; ++id) {
    Pull(id, 100'000, absl::Milliseconds(20));
    if (!recorder_.AwaitStatuses(id)) {
      ADD_FAILURE() << "no word of pull " << id;
      break;
    }
  }
  enough = true;
  publisher.join();
}

TEST_P(JetStreamSourceTest, AMessageThatIsTooLargeEndsThePull) {
  ASSERT_TRUE(StartAttached());
  ASSERT_TRUE(admin_->Publish("s.a", std::string(10'000, 'x')).ok());
  Pull(1, 10, absl::Seconds(5), 1000);
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kMessageTooLarge);
  Pull(2, 10, absl::Seconds(5), 100'000);
  EXPECT_TRUE(recorder_.AwaitMessages(1));
}

TEST_P(JetStreamSourceTest, ALimitOfTheConsumerIsTold) {
  ASSERT_TRUE(StartAll());
  ASSERT_TRUE(admin_->CreateConsumer("S", "worker", {{"max_batch", 5}}).ok());
  const auto info = Attach();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->max_request_batch, 5);
  Pull(1, 6);
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kLimitExceeded);
}

TEST_P(JetStreamSourceTest, ABadPullIsTold) {
  ASSERT_TRUE(StartAttached());
  Pull(1, 1, absl::Milliseconds(100), 0, absl::Milliseconds(90));  // a heartbeat must fit twice
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kBadRequest);
}

TEST_P(JetStreamSourceTest, ADeletionUnderAnOpenPullIsTold) {
  ASSERT_TRUE(StartAttached());
  Pull(1, 1);
  ASSERT_TRUE(Eventually([this] { return Told("num_waiting") == 1; }));
  ASSERT_TRUE(admin_->DeleteConsumer("S", "worker").ok());
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kConsumerDeleted);
  EXPECT_EQ(Info().status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Attach().ok()) << "ensure makes it anew";
  Publish(1);
  Pull(2, 1);
  EXPECT_TRUE(recorder_.AwaitMessages(1));
}

TEST_P(JetStreamSourceTest, APullWithoutAConsumerIsAnsweredFrom210On) {
  ASSERT_TRUE(StartAttached());
  ASSERT_TRUE(admin_->DeleteConsumer("S", "worker").ok());
  Pull(1, 1);
  if (VersionAtLeast(10)) {
    ASSERT_TRUE(recorder_.AwaitStatuses(1));
    EXPECT_EQ(recorder_.statuses_[0].kind, Kind::kNoResponders);
    return;
  }
  EXPECT_EQ(Info().status().code(), absl::StatusCode::kNotFound) << "2.9 says nothing, but can be asked";
  EXPECT_TRUE(recorder_.statuses_.empty());
}

// --- settlements ---

TEST_P(JetStreamSourceTest, AnAckSettles) {
  ASSERT_TRUE(StartAttached());
  Publish(2);
  Pull(1, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  EXPECT_EQ(Told("num_ack_pending"), 2);
  Settle(message(0), {});
  Settle(message(1), {});
  EXPECT_TRUE(Eventually([this] { return Told("num_ack_pending") == 0; }));
}

TEST_P(JetStreamSourceTest, ANakBringsItAgainAtOnceOrLater) {
  ASSERT_TRUE(StartAttached());
  Publish(2);
  Pull(1, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  const absl::Time naked = absl::Now();
  Settle(message(0), {Verdict::kNak, absl::Seconds(1), ""});
  Settle(message(1), Only(Verdict::kNak));
  Pull(2, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(3));
  EXPECT_EQ(message(2).stream_sequence, 2u);
  EXPECT_EQ(message(2).num_delivered, 2u);
  EXPECT_LT(absl::Now() - naked, absl::Milliseconds(900));
  ASSERT_TRUE(recorder_.AwaitMessages(4));
  EXPECT_EQ(message(3).stream_sequence, 1u);
  EXPECT_GE(absl::Now() - naked, absl::Milliseconds(900));
}

TEST_P(JetStreamSourceTest, ATermEndsItWithAReasonWhereTheServerTakesOne) {
  ASSERT_TRUE(StartAttached());
  Publish(2);
  Pull(1, 2);
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  Settle(message(0), Only(Verdict::kTerm));
  Settle(message(1), {Verdict::kTerm, absl::ZeroDuration(), "no such order, \"42\""});
  EXPECT_TRUE(Eventually([this] { return Told("num_ack_pending") == 0; }));
  Pull(2, 1, absl::Milliseconds(200));
  ASSERT_TRUE(recorder_.AwaitStatuses(1));
  EXPECT_EQ(recorder_.messages_.size(), 2u) << "not delivered again";
}

TEST_P(JetStreamSourceTest, InProgressHoldsOffTheNextAttempt) {
  core::DurableConfig config;
  config.ack_wait = absl::Seconds(2);
  ASSERT_TRUE(StartAttached(config));
  Publish(2);
  Pull(1, 4, absl::Seconds(20));
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  // Message 1 is held while message 2, of which nobody speaks, comes twice again: for two ack waits.
  const auto came_twice = [this] { return recorder_.messages_.size() >= 4; };
  bool done = false;
  for (int i = 0; i < 100 && !done; ++i) {
    Settle(message(0), Only(Verdict::kInProgress));
    absl::MutexLock lock(&recorder_.mutex_);
    done = recorder_.mutex_.AwaitWithTimeout(absl::Condition(&came_twice), absl::Milliseconds(200));
  }
  ASSERT_TRUE(done);
  EXPECT_EQ(message(2).stream_sequence, 2u);
  EXPECT_EQ(message(3).stream_sequence, 2u);
  EXPECT_EQ(message(3).num_delivered, 3u);
}

TEST_P(JetStreamSourceTest, AConfirmationFencesAllEarlierVerdicts) {
  ASSERT_TRUE(StartAttached());
  constexpr int kCount = 500;
  Publish(kCount);
  Pull(1, kCount);
  ASSERT_TRUE(recorder_.AwaitMessages(kCount));
  for (int i = 0; i < kCount - 1; ++i) Settle(message(i), {});
  Confirm(message(kCount - 1), {}, 77);
  ASSERT_TRUE(recorder_.AwaitConfirmed(1));
  EXPECT_EQ(recorder_.confirmed_[0].first, 77u);
  EXPECT_TRUE(recorder_.confirmed_[0].second.ok()) << recorder_.confirmed_[0].second;
  EXPECT_EQ(Told("num_ack_pending"), 0);
}

TEST_P(JetStreamSourceTest, ManyConfirmationsAreUnderWayAtOnceOfEveryVerdict) {
  ASSERT_TRUE(StartAttached());
  constexpr int kCount = 999;
  Publish(kCount);
  Pull(1, kCount);
  ASSERT_TRUE(recorder_.AwaitMessages(kCount));
  loop_.Run([this] {
    for (int i = 0; i < kCount; ++i) {
      const Verdict verdict = i % 3 == 0 ? Verdict::kAck : i % 3 == 1 ? Verdict::kTerm : Verdict::kNak;
      source_->Confirm(message(i).reply, {verdict, absl::Hours(1), ""}, i);
    }
  });
  ASSERT_TRUE(recorder_.AwaitConfirmed(kCount));
  std::set<uint64_t> tags;
  for (const auto& [tag, status] : recorder_.confirmed_) {
    EXPECT_TRUE(status.ok()) << tag << " " << status;
    tags.insert(tag);
  }
  EXPECT_EQ(tags.size(), static_cast<size_t>(kCount));
  EXPECT_EQ(Told("num_ack_pending"), kCount / 3) << "the NAKed ones, which wait";
}

TEST_P(JetStreamSourceTest, AConfirmationThatNobodyGivesEnds) {
  ASSERT_TRUE(StartAttached());
  Publish(1);
  Pull(1, 1);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  server_->Pause(true);
  Confirm(message(0), {}, 5);
  ASSERT_TRUE(recorder_.AwaitConfirmed(1));
  EXPECT_EQ(recorder_.confirmed_[0].second.code(), absl::StatusCode::kDeadlineExceeded);
  server_->Pause(false);
}

// --- the connection ---

TEST_P(JetStreamSourceTest, ARestartOfTheServerIsTold) {
  ASSERT_TRUE(StartAttached());
  Publish(2);
  Pull(1, 1);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  const size_t before = recorder_.connections_.size();
  ASSERT_TRUE(server_->Restart().ok());
  ASSERT_TRUE(recorder_.AwaitConnections(before + 2));
  EXPECT_FALSE(recorder_.connections_[before]);
  EXPECT_TRUE(recorder_.connections_[before + 1]);
  ASSERT_TRUE(Eventually([this] { return Attach().ok(); })) << "JetStream may need a moment";
  Settle(message(0), {});  // of the attempt before
  Pull(2, 1);
  ASSERT_TRUE(recorder_.AwaitMessages(2));
  EXPECT_EQ(message(1).data, "2");
  EXPECT_TRUE(Eventually([this] { return Told("num_ack_pending") == 1; }));
}

// --- the end ---

TEST_P(JetStreamSourceTest, ClosingIsToldAfterAllMessagesAndLeavesTheRestAlone) {
  constexpr int kCount = 20'000;
  core::DurableConfig config;
  config.max_ack_pending = kCount;
  ASSERT_TRUE(StartAttached(config));
  Publish(kCount);
  Pull(1, kCount);
  ASSERT_TRUE(recorder_.AwaitMessages(kCount)) << "the pull is fulfilled: core closes no sooner";
  loop_.Run([this] { source_->CloseIntake(); });
  ASSERT_TRUE(recorder_.Await([this] { return recorder_.closed_ > 0; }));
  EXPECT_EQ(recorder_.messages_.size(), static_cast<size_t>(kCount));
  EXPECT_EQ(recorder_.events_.back(), "closed");
  EXPECT_TRUE(Info().ok());
  Confirm(message(0), {}, 1);
  ASSERT_TRUE(recorder_.AwaitConfirmed(1));
  EXPECT_TRUE(recorder_.confirmed_[0].second.ok());
  EXPECT_EQ(recorder_.closed_, 1);
}

TEST_P(JetStreamSourceTest, ClosingEndsBeforeAnythingWasOpened) {
  ASSERT_TRUE(StartAll());
  loop_.Run([this] { source_->CloseIntake(); });
  EXPECT_TRUE(recorder_.Await([this] { return recorder_.closed_ == 1; }));
}

TEST_P(JetStreamSourceTest, ClosingEndsWithoutAServer) {
  ASSERT_TRUE(StartAttached());
  server_->Kill();
  ASSERT_TRUE(recorder_.Await([this] { return !recorder_.connections_.back(); }));
  loop_.Run([this] { source_->CloseIntake(); });
  EXPECT_TRUE(recorder_.Await([this] { return recorder_.closed_ == 1; }));
}

TEST_P(JetStreamSourceTest, ClosingEndsWhenTheServerFallsSilent) {
  ASSERT_TRUE(StartAttached());
  server_->Pause(true);
  loop_.Run([this] { source_->CloseIntake(); });
  EXPECT_TRUE(recorder_.Await([this] { return recorder_.closed_ == 1; }));
  server_->Pause(false);
}

TEST_P(JetStreamSourceTest, ASourceMayGoWhileMessagesCome) {
  ASSERT_TRUE(StartAttached());
  Publish(5000);
  Pull(1, 5000);
  ASSERT_TRUE(recorder_.AwaitMessages(1));
  loop_.Run([this] { source_.reset(); });
  loop_.Run([this] { connection_.reset(); });
}

// A new login. The open pull goes on where it was opened; nothing that it brings is lost, and the next one uses the new
// connection.
TEST_P(JetStreamSourceTest, AReplacedConnectionLosesNothing) {
  ASSERT_TRUE(StartAttached());
  Pull(1, 10, absl::Seconds(2));
  ASSERT_TRUE(Eventually([this] { return Told("num_waiting") == 1; }));
  const size_t told = recorder_.connections_.size();
  absl::Notification moved;
  loop_.Run([&] {
    connection_->Replace(Options(), [&](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      moved.Notify();
    });
  });
  ASSERT_TRUE(moved.WaitForNotificationWithTimeout(kPatience));
  Publish(10);
  ASSERT_TRUE(recorder_.AwaitMessages(10)) << "by the pull that was open";
  Publish(10, 11);
  Pull(2, 10);
  ASSERT_TRUE(recorder_.AwaitMessages(20));
  for (const core::Message& one : recorder_.messages_) {
    EXPECT_EQ(one.num_delivered, 1u);
    Settle(one, Only(Verdict::kAck));
  }
  EXPECT_TRUE(Eventually([this] { return Told("num_ack_pending") == 0; }));
  EXPECT_EQ(recorder_.connections_.size(), told) << "nobody has noticed";
  loop_.Run([this] { source_->CloseIntake(); });
  EXPECT_TRUE(recorder_.Await([this] { return recorder_.closed_ == 1; }));
}

INSTANTIATE_TEST_SUITE_P(All, JetStreamSourceTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
