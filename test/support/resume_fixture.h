// What tests of apps that outlive their daemon share: tokens as the predecessor gave them.
#pragma once

#include <memory>

#include "gmock/gmock.h"
#include "test/support/consumer_fixture.h"
#include "test/support/token_book.h"

namespace sluice::core {

inline constexpr uint64_t kPredecessor = 1;
inline constexpr uint64_t kThis = 2;
inline constexpr int64_t kCreated = 1'700'000'000'000'000'000;
inline constexpr absl::Duration kAckWait = absl::Seconds(30);

class ResumeTest : public test::ConsumerFixture {
 protected:
  ResumeTest() {
    daemon_.SetTokens(&tokens_);
    book_.MarkCrashed(kPredecessor);
  }

  static ConsumerInfo Info() {
    ConsumerInfo info;
    info.ack_wait = kAckWait;
    info.created_ns = kCreated;
    return info;
  }

  // Of a delivery by the predecessor, just now.
  DeliveryToken Given(uint64_t sequence) const {
    DeliveryToken token;
    token.stream = "ORDERS";
    token.durable = "orders";
    token.consumer_created_ns = kCreated;
    token.instance = kPredecessor;
    token.id = 1000 + sequence;
    token.reply = absl::StrCat("ack.", sequence, ".1");
    token.stream_sequence = token.consumer_sequence = sequence;
    token.num_delivered = 1;
    token.ack_deadline = loop_.now() + kAckWait / 2;
    token.bytes = 100;
    return token;
  }
  DeliveryToken InDoubt(uint64_t sequence) const {
    DeliveryToken token = Given(sequence);
    token.ack_deadline = loop_.now();
    return token;
  }

  Session* Resume(test::RecordingStream* stream, const std::vector<DeliveryToken>& tokens,
                  const std::string& client_id = "me", uint32_t credit = 10) {
    OpenRequest request = Request(tokens, client_id, credit);
    auto session = daemon_.Open(request, stream);
    EXPECT_TRUE(session.ok()) << session.status();
    return *session;
  }
  OpenRequest Request(const std::vector<DeliveryToken>& tokens, const std::string& client_id, uint32_t credit) {
    OpenRequest request;
    request.consumer = "orders";
    request.client_id = client_id;
    request.credit.messages = credit;
    request.resumable = true;
    for (const DeliveryToken& token : tokens) request.tokens.push_back({token.id, book_.Add(token)});
    return request;
  }

  // The id under which the app goes on; 0: it was refused.
  static uint64_t IdOf(const test::RecordingStream& app, const DeliveryToken& token) {
    for (const auto& adopted : app.last<OpenedNotice>()->adopted) {
      if (adopted.held_id == token.id) return adopted.id;
    }
    return 0;
  }
  // Why the only token was refused.
  static std::string Reason(const test::RecordingStream& app) {
    const OpenedNotice* opened = app.last<OpenedNotice>();
    EXPECT_THAT(opened->adopted, testing::IsEmpty());
    return opened->refused.size() == 1 ? opened->refused[0].reason : "";
  }
  uint64_t CountWpi(const std::string& reply) const {
    uint64_t count = 0;
    for (const auto& settled : source_->settled)
      count += settled.verdict == Verdict::kInProgress && settled.reply == reply;
    return count;
  }

  test::TokenBook book_;
  test::BookTokens tokens_{&book_, kThis};
};

}  // namespace sluice::core
