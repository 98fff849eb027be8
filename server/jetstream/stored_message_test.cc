#include "jetstream/stored_message.h"

#include "gtest/gtest.h"
#include "jetstream/publish.h"

namespace sluice::jetstream {
namespace {

// data: 42, hdrs: NATS/1.0, A: b
constexpr char kStored[] = R"({"message":{"subject":"s.a","seq":7,"hdrs":"TkFUUy8xLjANCkE6IGINCg0K","data":"NDI=",)"
                           R"("time":"2023-11-14T22:13:20.123456789Z"}})";

TEST(StoredMessage, HasAllThatTheStreamHas) {
  const auto message = ParseStoredMessage(kStored);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->subject, "s.a");
  EXPECT_EQ(message->data, "42");
  EXPECT_EQ(message->stream_sequence, 7u);
  EXPECT_EQ(message->timestamp_ns, 1'700'000'000'123'456'789);
  ASSERT_EQ(message->headers.size(), 1u);
  EXPECT_EQ(message->headers[0].name, "A");
  EXPECT_EQ(message->headers[0].value, "b");
}

TEST(StoredMessage, WhatIsNotThereIsToldFromWhatIsWrong) {
  EXPECT_TRUE(absl::IsNotFound(
      ParseStoredMessage(R"({"error":{"code":404,"err_code":10037,"description":"no message found"}})").status()));
  EXPECT_TRUE(absl::IsUnavailable(ParseStoredMessage(R"({"error":{"code":503,"err_code":10008}})").status()));
}

TEST(StoredMessage, BearsAnything) {
  for (const char* text :
       {"", "[]", "{}", R"({"message":7})", R"({"message":{"subject":7,"seq":1,"time":"2023-11-14T22:13:20Z"}})",
        R"({"message":{"subject":"s","seq":-1,"time":"2023-11-14T22:13:20Z"}})",
        R"({"message":{"subject":"s","seq":1,"time":"yesterday"}})",
        R"({"message":{"subject":"s","seq":1,"time":"2023-11-14T22:13:20Z","data":"%"}})",
        R"({"message":{"subject":"s","seq":1,"time":"2023-11-14T22:13:20Z","hdrs":7}})"}) {
    EXPECT_FALSE(ParseStoredMessage(text).ok()) << text;
  }
}

TEST(PubAck, NamesTheStream) {
  const auto ack = ParsePubAck(R"({"stream":"DEAD","seq":3,"duplicate":true})", "dead");
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->stream, "DEAD");
  EXPECT_EQ(ack->sequence, 3u);
  EXPECT_TRUE(ack->duplicate);
}

// Mutation: an answer without a stream that is taken for one.
TEST(PubAck, AnErrorOrAnybodysAnswerIsNone) {
  EXPECT_TRUE(absl::IsUnavailable(
      ParsePubAck(R"({"error":{"code":400,"err_code":10077,"description":"maximum messages exceeded"}})", "dead")
          .status()));
  for (const char* text : {"", "+OK", "{}", R"({"stream":""})", R"({"stream":7})", "[1]"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(ParsePubAck(text, "dead").status())) << text;
  }
}

}  // namespace
}  // namespace sluice::jetstream
