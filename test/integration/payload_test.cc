// Content is delivered byte for byte, whatever it is.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/client.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "nats/nats.h"
#include "test/integration/fixture.h"

namespace sluice::integration {
namespace {

constexpr size_t kMaxPayload = 1 << 20;  // of nats-server, by default
constexpr int kManyHeaders = 4096;

struct Content {
  std::string subject = kSubject;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string data{};

  bool operator==(const Content&) const = default;
  friend void PrintTo(const Content& content, std::ostream* out) {
    *out << content.subject << ", " << content.headers.size() << " headers, " << content.data.size() << " bytes";
  }
};

std::string Bytes(int first, int last, std::string_view without = "") {
  std::string bytes;
  for (int byte = first; byte <= last; ++byte) {
    if (without.find(static_cast<char>(byte)) == std::string_view::npos) bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

class PayloadTest : public IntegrationTest {
 protected:
  void TearDown() override {
    natsConnection_Destroy(nats_);
    IntegrationTest::TearDown();
  }
  bool StartAll() {
    if (!StartServer() || !StartDaemon()) return false;
    EXPECT_EQ(natsConnection_ConnectTo(&nats_, server_->url().c_str()), NATS_OK);
    return nats_ != nullptr;
  }

  void Publish(const Content& content) {
    natsMsg* msg = nullptr;
    ASSERT_EQ(natsMsg_Create(&msg, content.subject.c_str(), nullptr, content.data.data(),
                             static_cast<int>(content.data.size())),
              NATS_OK);
    for (const auto& [name, value] : content.headers) {
      ASSERT_EQ(natsMsgHeader_Add(msg, name.c_str(), value.c_str()), NATS_OK);
    }
    ASSERT_EQ(natsConnection_PublishMsg(nats_, msg), NATS_OK);
    natsMsg_Destroy(msg);
    ASSERT_EQ(natsConnection_FlushTimeout(nats_, 10000), NATS_OK);
  }

  // What an app gets, in this process, one after the other.
  std::vector<Content> Receive(size_t count, uint64_t credit_bytes = 0) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Content> received;
    sluice::Client client({.address = daemon_->address()});
    sluice::ConsumeOptions options;
    options.credit.bytes = credit_bytes;
    auto consumption = client.Consume(kDurable, options, [&](sluice::Message& message) {
      Content content = {std::string(message.subject()), {}, std::string(message.data())};
      for (const auto& [name, value] : message.headers()) content.headers.emplace_back(name, value);
      const std::lock_guard lock(mutex);
      received.push_back(std::move(content));
      changed.notify_all();
      return sluice::Ack();
    });
    std::unique_lock lock(mutex);
    changed.wait_for(lock, absl::ToChronoMilliseconds(kPatience), [&] { return received.size() >= count; });
    lock.unlock();
    consumption.Drain();
    return received;
  }

  // Header order between names is cnats's to choose when it publishes.
  static Content Sorted(Content content) {
    std::stable_sort(content.headers.begin(), content.headers.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    return content;
  }
  void ExpectDelivered(const std::vector<Content>& contents, uint64_t credit_bytes = 0) {
    for (const Content& content : contents) Publish(content);
    std::vector<Content> received = Receive(contents.size(), credit_bytes);
    ASSERT_EQ(received.size(), contents.size());
    for (size_t i = 0; i < contents.size(); ++i) {
      EXPECT_EQ(Sorted(std::move(received[i])), Sorted(contents[i])) << "number " << i;
    }
    EXPECT_EQ(Told("num_ack_pending"), 0);
  }

  natsConnection* nats_ = nullptr;
};

TEST_P(PayloadTest, AnyBytes) {
  ASSERT_TRUE(StartAll());
  ExpectDelivered({
      {.data = ""},
      {.data = Bytes(0, 255)},
      {.data = std::string(1, '\0')},
      {.data = "NATS/1.0\r\n\r\nMSG a 1 1\r\n"},
      {.subject = "s." + Bytes(1, 255, "\t\n\f\r .*>"), .data = "subject"},
      {.subject = "s.\xff\xfe.\xc3\x28", .data = "subject that is not UTF-8"},
      {.headers = {{"Name", Bytes(1, 255, "\r\n").insert(0, "v").append("v")}}, .data = "header"},
      {.headers = {{"lower", "1"}, {"UPPER", "2"}, {"\xff\xfe", "\xc3\x28"}, {"Empty", ""}}, .data = "names"},
      {.headers = {{"Twice", "b"}, {"Twice", "a"}}, .data = "values in their order"},
      {.headers = {{"Only", "a header"}}, .data = ""},
  });
}

TEST_P(PayloadTest, AsLargeAsTheServerTakes) {
  ASSERT_TRUE(StartAll());
  std::string large(kMaxPayload, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  ExpectDelivered({{.data = large}, {.data = "small"}, {.data = large}});
}

TEST_P(PayloadTest, ManyHeaders) {
  ASSERT_TRUE(StartAll());
  Content content;
  for (int i = 0; i < kManyHeaders; ++i)
    content.headers.emplace_back(absl::StrCat("name-", i), absl::StrCat("value ", i));
  content.data = "many headers";
  ExpectDelivered({content});
}

TEST_P(PayloadTest, LargerThanTheByteCredit) {
  constexpr uint64_t kCredit = 1000;
  ASSERT_TRUE(StartAll());
  ExpectDelivered({{.data = std::string(100, 'a')},
                   {.data = std::string(100 * kCredit, 'b')},
                   {.data = std::string(100, 'c')},
                   {.data = std::string(kCredit + 1, 'd')},
                   {.data = std::string(kMaxPayload, 'e')},
                   {.data = "f"}},
                  kCredit);
}

INSTANTIATE_TEST_SUITE_P(All, PayloadTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
