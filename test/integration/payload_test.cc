// Content is delivered byte for byte, whatever it is.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

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

// Publishes content as it is, byte by byte: a NATS library would check it, and put its headers into an order of its
// own.
class RawPublisher {
 public:
  explicit RawPublisher(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    Send("CONNECT {\"verbose\":false,\"headers\":true}\r\n");
  }
  ~RawPublisher() { close(fd_); }

  void Publish(const Content& content) {
    std::string block;
    if (!content.headers.empty()) {
      block = "NATS/1.0\r\n";
      for (const auto& [name, value] : content.headers) absl::StrAppend(&block, name, ": ", value, "\r\n");
      absl::StrAppend(&block, "\r\n");
    }
    const std::string command = block.empty() ? absl::StrCat("PUB ", content.subject, " ")
                                              : absl::StrCat("HPUB ", content.subject, " ", block.size(), " ");
    Send(absl::StrCat(command, block.size() + content.data.size(), "\r\n", block, content.data, "\r\n"));
  }

 private:
  void Send(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t some = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(some, 0);
      sent += static_cast<size_t>(some);
    }
  }

  const int fd_;
};

class PayloadTest : public IntegrationTest {
 protected:
  // False, with the test failed, if the stream does not take them all.
  bool Publish(const std::vector<Content>& contents) {
    RawPublisher publisher(server_->port());
    for (const Content& content : contents) publisher.Publish(content);
    const bool stored = Eventually([&] {
      const auto stream = admin_->StreamInfo(kStream);
      return stream.ok() && (*stream)["state"]["last_seq"] == contents.size();
    });
    EXPECT_TRUE(stored) << server_->log();
    return stored;
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

  void ExpectDelivered(const std::vector<Content>& contents, uint64_t credit_bytes = 0) {
    ASSERT_TRUE(StartServer());
    ASSERT_TRUE(StartDaemon());
    ASSERT_TRUE(Publish(contents));
    const std::vector<Content> received = Receive(contents.size(), credit_bytes);
    ASSERT_EQ(received.size(), contents.size());
    for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(received[i], contents[i]) << "number " << i;
    EXPECT_EQ(Told("num_ack_pending"), 0);
  }
};

TEST_P(PayloadTest, AnyBytes) {
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
  std::string large(kMaxPayload, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  ExpectDelivered({{.data = large}, {.data = "small"}, {.data = large}});
}

// With short names: the stream takes 64 KiB of headers.
TEST_P(PayloadTest, ManyHeaders) {
  Content content;
  for (int i = 0; i < kManyHeaders; ++i) content.headers.emplace_back(absl::StrCat(i), "v");
  content.data = "many headers";
  ExpectDelivered({content});
}

TEST_P(PayloadTest, LargerThanTheByteCredit) {
  constexpr uint64_t kCredit = 1000;
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
