#include "core/dead_letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

Message Original() {
  Message message;
  message.subject = "orders.new";
  message.data = "42";
  message.headers = {{"Trace", "a"}, {"Trace", "b"}, {"Nats-Msg-Id", "mine"}, {"nats-rollup", "all"}};
  message.stream_sequence = 7;
  message.timestamp_ns = 1'700'000'000'123'456'789;
  return message;
}

DeadLetterFacts Facts() {
  DeadLetterFacts facts;
  facts.reason = DeadLetterReason::kTerminated;
  facts.detail = "no such\r\ncustomer";
  facts.attempts = 3;
  facts.stream = "ORDERS";
  facts.durable = "billing";
  facts.first_attempt = absl::FromUnixSeconds(1'700'000'001);
  facts.last_attempt = absl::FromUnixMillis(1'700'000'002'500);
  return facts;
}

TEST(DeadLetter, TellsWhatItWasAndWhy) {
  const DeadLetter letter = MakeDeadLetter("dead", Original(), Facts());
  EXPECT_EQ(letter.subject, "dead");
  EXPECT_EQ(letter.data, "42");
  EXPECT_THAT(letter.headers, IsSupersetOf({
                                  Pair("Trace", "a"),
                                  Pair("Trace", "b"),
                                  Pair("Sluice-Dead-Letter-Reason", "terminated"),
                                  Pair("Sluice-Dead-Letter-Detail", "no such  customer"),
                                  Pair("Sluice-Dead-Letter-Attempts", "3"),
                                  Pair("Sluice-Dead-Letter-Stream", "ORDERS"),
                                  Pair("Sluice-Dead-Letter-Consumer", "billing"),
                                  Pair("Sluice-Dead-Letter-Sequence", "7"),
                                  Pair("Sluice-Dead-Letter-Subject", "orders.new"),
                                  Pair("Sluice-Dead-Letter-Timestamp", "2023-11-14T22:13:20.123456789Z"),
                                  Pair("Sluice-Dead-Letter-First-Attempt", "2023-11-14T22:13:21.000000000Z"),
                                  Pair("Sluice-Dead-Letter-Last-Attempt", "2023-11-14T22:13:22.500000000Z"),
                              }));
}

// Mutation: set_aside only for "Nats-" as it is written here.
TEST(DeadLetter, WhatJetStreamWouldActUponIsSetAside) {
  const DeadLetter letter = MakeDeadLetter("dead", Original(), Facts());
  EXPECT_THAT(letter.headers, Contains(Pair("Sluice-Original-Nats-Msg-Id", "mine")));
  EXPECT_THAT(letter.headers, Contains(Pair("Sluice-Original-nats-rollup", "all")));
  EXPECT_THAT(letter.headers, Not(Contains(Key("nats-rollup"))));
  EXPECT_THAT(letter.headers,
              Contains(Pair("Nats-Msg-Id", DeadLetterId("ORDERS", "billing", 7, 1'700'000'000'123'456'789))));
}

// The same message of the same consumer, and no other.
TEST(DeadLetter, ItsIdIsThatOfTheMessageAndTheConsumer) {
  const std::string id = DeadLetterId("S", "C", 7, 1000);
  EXPECT_EQ(id, DeadLetterId("S", "C", 7, 1000));
  EXPECT_NE(id, DeadLetterId("S", "D", 7, 1000));
  EXPECT_NE(id, DeadLetterId("T", "C", 7, 1000));
  EXPECT_NE(id, DeadLetterId("S", "C", 8, 1000));
  EXPECT_NE(id, DeadLetterId("S", "C", 7, 1001)) << "a stream that was made anew counts from 1 again";
}

std::vector<Header> Views(const DeadLetter& letter) {
  std::vector<Header> views;
  for (const auto& [name, value] : letter.headers) views.push_back({name, value});
  return views;
}

TEST(OriginalHeaders, AreThoseOfTheMessageWithoutWhatWouldActAgain) {
  Message message = Original();
  message.headers.push_back({"Nats-TTL", "1h"});
  message.headers.push_back({"Sluice-Redriven-From", "DEAD/3"});
  const DeadLetter letter = MakeDeadLetter("dead", message, Facts());
  EXPECT_THAT(OriginalHeaders(Views(letter)),
              ElementsAre(Pair("Trace", "a"), Pair("Trace", "b"), Pair("Sluice-Original-Nats-Msg-Id", "mine"),
                          Pair("Sluice-Original-nats-rollup", "all"), Pair("Nats-TTL", "1h")));
}

// A dead letter of a consumer of dead letters: each redrive takes off one of the two.
TEST(OriginalHeaders, OfALetterOfALetterAreThoseOfTheLetter) {
  const DeadLetter first = MakeDeadLetter("dead", Original(), Facts());
  Message message;
  message.headers = Views(first);
  const DeadLetter second = MakeDeadLetter("deader", message, Facts());
  const auto restored = OriginalHeaders(Views(second));
  EXPECT_THAT(restored, Contains(Pair("Sluice-Dead-Letter-Reason", "terminated")));
  EXPECT_THAT(restored, Contains(Pair("Sluice-Original-Nats-Msg-Id", "mine")));
  EXPECT_THAT(restored, Contains(Pair("Trace", "a")));
}

}  // namespace
}  // namespace sluice::core
