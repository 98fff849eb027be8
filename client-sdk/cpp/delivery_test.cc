// What the generated class makes of some bytes is what the decoder must make of them, whatever they are.
#include "client-sdk/cpp/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "sluice/v1/consumer.pb.h"

namespace sluice::internal {
namespace {

using Random = std::mt19937_64;

// A copy of its own length on the heap: a sanitizer finds a read beyond it.
class Exact {
 public:
  explicit Exact(const std::string& bytes) : bytes_(bytes.begin(), bytes.end()) { bytes_.shrink_to_fit(); }
  operator std::string_view() const { return {bytes_.data(), bytes_.size()}; }  // NOLINT(google-explicit-constructor)

 private:
  std::vector<char> bytes_;
};

struct Decoded {
  explicit Decoded(std::string_view bytes) : kind(Decode(bytes, deliveries, headers)) {}
  std::vector<DeliveryView> deliveries;
  std::vector<HeaderView> headers;
  ResponseKind kind;
};

void ExpectSame(const v1::Delivery& expected, const DeliveryView& delivery, const std::vector<HeaderView>& headers) {
  EXPECT_EQ(delivery.id, expected.id());
  EXPECT_EQ(delivery.subject, expected.subject());
  EXPECT_EQ(delivery.data, expected.data());
  EXPECT_EQ(delivery.key, expected.key());
  EXPECT_EQ(delivery.token, expected.token());
  EXPECT_EQ(delivery.stream_sequence, expected.stream_sequence());
  EXPECT_EQ(delivery.consumer_sequence, expected.consumer_sequence());
  EXPECT_EQ(delivery.num_delivered, expected.num_delivered());
  EXPECT_EQ(delivery.num_pending, expected.num_pending());
  const auto seconds = static_cast<uint64_t>(expected.timestamp().seconds());
  const auto nanos = static_cast<uint64_t>(int64_t{expected.timestamp().nanos()});
  EXPECT_EQ(static_cast<uint64_t>(delivery.stored_ns), seconds * 1'000'000'000 + nanos);
  ASSERT_EQ(delivery.end_header - delivery.first_header, static_cast<size_t>(expected.headers_size()));
  for (int i = 0; i < expected.headers_size(); ++i) {
    EXPECT_EQ(headers[delivery.first_header + i].name, expected.headers(i).name());
    EXPECT_EQ(headers[delivery.first_header + i].value, expected.headers(i).value());
  }
}

// True if they are deliveries, for both.
bool ExpectSame(const std::string& bytes) {
  const Exact exact(bytes);
  const Decoded decoded(exact);
  v1::ConsumeResponse expected;
  if (!expected.ParseFromString(bytes)) {
    EXPECT_NE(decoded.kind, ResponseKind::kDeliveries);
    return false;
  }
  const bool deliveries = expected.has_deliveries();
  EXPECT_EQ(decoded.kind, deliveries ? ResponseKind::kDeliveries : ResponseKind::kNotice);
  if (!deliveries || decoded.kind != ResponseKind::kDeliveries) return false;
  EXPECT_EQ(decoded.deliveries.size(), static_cast<size_t>(expected.deliveries().deliveries_size()));
  for (size_t i = 0; i < decoded.deliveries.size() && !testing::Test::HasFailure(); ++i) {
    ExpectSame(expected.deliveries().deliveries(static_cast<int>(i)), decoded.deliveries[i], decoded.headers);
  }
  return true;
}

std::string RandomBytes(Random& random, size_t most) {
  std::string bytes(random() % (most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Of any magnitude, so that varints have all lengths; now and then 0, which is not written.
uint64_t RandomNumber(Random& random) { return random() % 8 == 0 ? 0 : random() >> (random() % 64); }

v1::Delivery RandomDelivery(Random& random) {
  v1::Delivery delivery;
  delivery.set_id(RandomNumber(random));
  delivery.set_subject(RandomBytes(random, 40));
  for (uint64_t i = random() % 4; i > 0; --i) {
    v1::Header& header = *delivery.add_headers();
    header.set_name(RandomBytes(random, 10));
    header.set_value(RandomBytes(random, 200));
  }
  delivery.set_data(RandomBytes(random, random() % 16 == 0 ? 40'000 : 300));
  delivery.set_stream_sequence(RandomNumber(random));
  delivery.set_consumer_sequence(RandomNumber(random));
  delivery.set_num_delivered(RandomNumber(random));
  delivery.set_num_pending(RandomNumber(random));
  if (random() % 8 != 0) {
    delivery.mutable_timestamp()->set_seconds(static_cast<int64_t>(RandomNumber(random)));
    delivery.mutable_timestamp()->set_nanos(static_cast<int32_t>(random()));
  }
  delivery.set_key(RandomBytes(random, 20));
  delivery.set_token(RandomBytes(random, 256));
  return delivery;
}

v1::ConsumeResponse RandomDeliveries(Random& random, size_t most) {
  v1::ConsumeResponse response;
  response.mutable_deliveries();
  for (uint64_t i = random() % (most + 1); i > 0; --i) {
    *response.mutable_deliveries()->add_deliveries() = RandomDelivery(random);
  }
  return response;
}

v1::ConsumeResponse SmallFrame() {
  v1::ConsumeResponse response;
  for (uint64_t id : {1, 300}) {
    v1::Delivery& delivery = *response.mutable_deliveries()->add_deliveries();
    delivery.set_id(id);
    delivery.set_subject("orders.new");
    v1::Header& header = *delivery.add_headers();
    header.set_name("Customer");
    header.set_value("7");
    delivery.set_data("some data");
    delivery.set_stream_sequence(id);
    delivery.set_consumer_sequence(id);
    delivery.set_num_delivered(1);
    delivery.set_num_pending(70'000);
    delivery.mutable_timestamp()->set_seconds(1'700'000'000);
    delivery.mutable_timestamp()->set_nanos(5);
    delivery.set_key("k");
    delivery.set_token("a token");
  }
  return response;
}

TEST(DeliveryTest, RandomDeliveriesAreWhatTheGeneratedClassReads) {
  Random random(1);
  for (int i = 0; i < 500 && !HasFailure(); ++i) {
    EXPECT_TRUE(ExpectSame(RandomDeliveries(random, i % 50 == 0 ? 256 : 8).SerializeAsString()));
  }
}

TEST(DeliveryTest, NothingIsCopied) {
  const std::string bytes = SmallFrame().SerializeAsString();
  const Decoded decoded(bytes);
  const auto within = [&](std::string_view view) {
    return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
  };
  ASSERT_EQ(decoded.deliveries.size(), 2u);
  for (const DeliveryView& delivery : decoded.deliveries) {
    for (const std::string_view view : {delivery.subject, delivery.data, delivery.key, delivery.token}) {
      EXPECT_TRUE(within(view));
    }
  }
  for (const HeaderView& header : decoded.headers) EXPECT_TRUE(within(header.name) && within(header.value));
}

TEST(DeliveryTest, ATruncatedFrameIsRefused) {
  const std::string bytes = SmallFrame().SerializeAsString();
  for (size_t size = 1; size < bytes.size(); ++size) {
    const Exact exact(bytes.substr(0, size));
    EXPECT_EQ(Decoded(exact).kind, ResponseKind::kMalformed) << size << " bytes";
  }
}

// The outer lengths are right: it is what is inside that ends too early.
TEST(DeliveryTest, ATruncatedDeliveryIsWhatTheGeneratedClassSaysOfIt) {
  const std::string delivery = SmallFrame().deliveries().deliveries(1).SerializeAsString();
  ASSERT_LT(delivery.size(), 126u);
  for (size_t size = 0; size <= delivery.size(); ++size) {
    const std::string inner = '\x0a' + std::string(1, static_cast<char>(size)) + delivery.substr(0, size);
    ExpectSame('\x12' + std::string(1, static_cast<char>(inner.size())) + inner);
    if (HasFailure()) FAIL() << size << " bytes";
  }
}

TEST(DeliveryTest, MutatedFramesAreWhatTheGeneratedClassSaysOfThem) {
  const std::string small = SmallFrame().SerializeAsString();
  int read = 0;
  for (uint64_t seed = 0; seed < 50'000; ++seed) {
    Random random(seed);
    std::string bytes = seed % 2 == 0 ? small : RandomDeliveries(random, 3).SerializeAsString();
    for (uint64_t changes = 1 + random() % 3; changes > 0 && !bytes.empty(); --changes) {
      const size_t at = random() % std::min<size_t>(bytes.size(), 400);
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        case 2:
          bytes.erase(at, 1 + random() % 4);
          break;
        default:
          bytes.insert(at, RandomBytes(random, 4));
      }
    }
    read += ExpectSame(bytes) ? 1 : 0;
    if (HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(read, 5'000) << "else the mutations say little";
}

TEST(DeliveryTest, FieldsOfALaterContractAreSkipped) {
  const std::string unknown = std::string("\xf8\x07\x96\x01", 4) +          // 127: a varint
                              std::string("\xf9\x07zzzzzzzz", 10) +         // 64 bits
                              std::string("\xfa\x07\x03new", 6) +           // bytes
                              std::string("\xfb\x07\x08\x05\xfc\x07", 6) +  // a group
                              std::string("\xfd\x07zzzz", 6) +              // 32 bits
                              std::string("\x09zzzzzzzz", 9);               // `id`, of another type
  v1::ConsumeResponse response = SmallFrame();
  v1::Delivery& delivery = *response.mutable_deliveries()->mutable_deliveries(0);
  ASSERT_TRUE(delivery.ParseFromString(delivery.SerializeAsString() + unknown + "\x08\x09"));
  EXPECT_TRUE(ExpectSame(response.SerializeAsString()));
  EXPECT_EQ(Decoded(Exact(response.SerializeAsString())).deliveries[0].id, 9u) << "what comes last counts";
  EXPECT_TRUE(ExpectSame(unknown + response.SerializeAsString()));
}

TEST(DeliveryTest, GroupsWithoutAnEndAreRefused) {
  EXPECT_EQ(Decoded(Exact("\xfb\x07")).kind, ResponseKind::kMalformed);
  EXPECT_EQ(Decoded(Exact("\xfc\x07")).kind, ResponseKind::kMalformed);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "\xfb\x07";
  EXPECT_EQ(Decoded(Exact(deep)).kind, ResponseKind::kMalformed);
}

TEST(DeliveryTest, OtherResponsesAreNotices) {
  v1::ConsumeResponse opened;
  opened.mutable_opened()->set_server("sluice/1");
  EXPECT_EQ(Decoded(opened.SerializeAsString()).kind, ResponseKind::kNotice);
  EXPECT_EQ(Decoded("").kind, ResponseKind::kNotice);
  EXPECT_EQ(Decoded("\xfa\x07\x03new").kind, ResponseKind::kNotice) << "of a later daemon";
  const std::string both = SmallFrame().SerializeAsString() + opened.SerializeAsString();
  EXPECT_EQ(Decoded(both).kind, ResponseKind::kNotice) << "the last one counts";
  EXPECT_TRUE(ExpectSame(both + SmallFrame().SerializeAsString()));
  EXPECT_TRUE(ExpectSame(SmallFrame().SerializeAsString() + SmallFrame().SerializeAsString())) << "they are merged";
}

}  // namespace
}  // namespace sluice::internal
