#include "jetstream/inbox_routes.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using Subjects = std::vector<std::string>;

class Sink final : public InboxSink {
 public:
  void OnMessage(NatsPtr<natsMsg> msg) override { subjects.push_back(natsMsg_GetSubject(msg.get())); }
  void OnEnd() override { ++ends; }

  Subjects subjects;
  int ends = 0;
};

std::string AckSubject(const std::string& consumer) { return "$JS.ACK." + consumer + ".1.2.3.4.5"; }

class InboxRoutesTest : public testing::Test {
 protected:
  // Messages are freed by a thread of the library's.
  static void SetUpTestSuite() { ASSERT_EQ(nats_Open(-1), NATS_OK); }

  // Whether an inbox took it.
  bool Deliver(const std::string& subject, const std::string& reply = "") {
    natsMsg* raw = nullptr;
    EXPECT_EQ(natsMsg_Create(&raw, subject.c_str(), reply.empty() ? nullptr : reply.c_str(), "x", 1), NATS_OK);
    NatsPtr<natsMsg> msg(raw);
    routes_.Deliver(msg);
    return msg == nullptr;
  }
  uint64_t Open(const std::string& consumer) {
    sinks_.push_back(std::make_shared<Sink>());
    return routes_.Open(sinks_.back(), consumer);
  }

  InboxRoutes routes_{"_INBOX.abc."};
  std::vector<std::shared_ptr<Sink>> sinks_;
};

TEST_F(InboxRoutesTest, AnswersAndStatusesGoByTheirSubject) {
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(Deliver(routes_.PrefixOf(Open("")) + "7"));
  for (size_t i = 0; i < sinks_.size(); ++i) {
    EXPECT_EQ(sinks_[i]->subjects, Subjects{"_INBOX.abc." + std::to_string(i) + ".7"});
  }
}

TEST_F(InboxRoutesTest, MessagesGoByTheConsumerOfTheirAckSubject) {
  Open("ORDERS.worker");
  Open("ORDERS.work");
  EXPECT_TRUE(Deliver("orders.1", AckSubject("ORDERS.work")));
  EXPECT_TRUE(Deliver("orders.2", AckSubject("ORDERS.worker")));
  EXPECT_TRUE(Deliver("orders.3", AckSubject("hub.HASH.ORDERS.worker")));
  EXPECT_EQ(sinks_[0]->subjects, (Subjects{"orders.2", "orders.3"}));
  EXPECT_EQ(sinks_[1]->subjects, Subjects{"orders.1"});
}

TEST_F(InboxRoutesTest, WhatIsForNoInboxIsLeft) {
  Open("");
  for (const char* subject : {"orders.1", "_INBOX.abc", "_INBOX.abc.", "_INBOX.abc..1", "_INBOX.abc.x.1",
                              "_INBOX.abc.1.1", "_INBOX.abd.0.1", "_INBOX.abc.18446744073709551616.1"}) {
    EXPECT_FALSE(Deliver(subject)) << subject;
  }
  EXPECT_FALSE(Deliver("requests.1", "_INBOX.other.1"));
  EXPECT_TRUE(Deliver("_INBOX.abc.0.1")) << "nobody pulls here, so that nothing can be overtaken";
}

// What is behind it in cnats's queue must not be overtaken, by its pull's status above all.
TEST_F(InboxRoutesTest, FromTheFirstMessageOfUnknownOriginOnAllIsLeft) {
  const uint64_t number = Open("ORDERS.worker");
  EXPECT_TRUE(Deliver("orders.1", AckSubject("ORDERS.worker")));
  EXPECT_FALSE(Deliver("orders.2", "rewritten.by.an.import"));
  EXPECT_FALSE(Deliver("orders.3", AckSubject("ORDERS.worker")));
  EXPECT_FALSE(Deliver(routes_.PrefixOf(number) + "1"));
  EXPECT_EQ(sinks_[0]->subjects, Subjects{"orders.1"});
}

TEST_F(InboxRoutesTest, WithTwoInboxesOfOneConsumerAllIsLeft) {
  const uint64_t number = Open("ORDERS.worker");
  Open("ORDERS.worker");
  EXPECT_FALSE(Deliver("orders.1", AckSubject("ORDERS.worker")));
  EXPECT_FALSE(Deliver(routes_.PrefixOf(number) + "1"));
}

TEST_F(InboxRoutesTest, NothingComesAfterTheEnd) {
  const uint64_t number = Open("ORDERS.worker");
  routes_.Close(number);
  routes_.Close(number);
  EXPECT_EQ(sinks_[0]->ends, 1);
  EXPECT_FALSE(Deliver(routes_.PrefixOf(number) + "1"));
  EXPECT_FALSE(Deliver("orders.1", AckSubject("ORDERS.worker")));
  EXPECT_NE(Open("ORDERS.worker"), number);
  EXPECT_TRUE(Deliver("orders.2", AckSubject("ORDERS.worker")));
  EXPECT_TRUE(sinks_[0]->subjects.empty());
  EXPECT_EQ(sinks_[1]->subjects, Subjects{"orders.2"});
}

}  // namespace
}  // namespace sluice::jetstream
