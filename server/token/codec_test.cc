#include "token/codec.h"

#include <sodium.h>

#include <cstring>
#include <limits>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "token/key_file.h"

namespace sluice::token {
namespace {

using core::DeliveryToken;
using testing::HasSubstr;

const std::string& Key() {
  static const std::string* const key = new std::string(32, 'k');
  return *key;
}

DeliveryToken Ordinary() {
  DeliveryToken token;
  token.stream = "ORDERS";
  token.durable = "shipping";
  token.consumer_created_ns = 1'700'000'000'123'456'789;
  token.instance = 0xfedcba9876543210;
  token.id = 77 << 24 | 5;
  token.stream_sequence = 123'456;
  token.consumer_sequence = 234'567;
  token.num_delivered = 2;
  token.num_pending = 89;
  token.timestamp_ns = 1'700'000'100'000'000'001;
  token.reply = "$JS.ACK.ORDERS.shipping.2.123456.234567.1700000100000000001.89";
  token.numbers_at = 24;
  token.ack_deadline = absl::FromUnixNanos(1'700'000'130'000'000'002);
  token.bytes = 1'000;
  token.has_key = true;
  token.key = "customer-7";
  return token;
}

std::string Seal(const SealedTokenCodec& codec, const DeliveryToken& token) {
  std::string sealed = "what was there before";
  codec.Seal(token, &sealed);
  return sealed;
}

void ExpectSame(const DeliveryToken& got, const DeliveryToken& wanted) {
  EXPECT_EQ(got.stream, wanted.stream);
  EXPECT_EQ(got.durable, wanted.durable);
  EXPECT_EQ(got.consumer_created_ns, wanted.consumer_created_ns);
  EXPECT_EQ(got.instance, wanted.instance);
  EXPECT_EQ(got.id, wanted.id);
  EXPECT_EQ(got.reply, wanted.reply);
  EXPECT_EQ(got.numbers_at, wanted.numbers_at);
  EXPECT_EQ(got.stream_sequence, wanted.stream_sequence);
  EXPECT_EQ(got.consumer_sequence, wanted.consumer_sequence);
  EXPECT_EQ(got.num_delivered, wanted.num_delivered);
  EXPECT_EQ(got.num_pending, wanted.num_pending);
  EXPECT_EQ(got.timestamp_ns, wanted.timestamp_ns);
  EXPECT_EQ(got.ack_deadline, wanted.ack_deadline);
  EXPECT_EQ(got.bytes, wanted.bytes);
  EXPECT_EQ(got.has_key, wanted.has_key);
  EXPECT_EQ(got.key, wanted.key);
}

void ExpectRoundTrip(const DeliveryToken& token) {
  const std::string sealed = Seal(SealedTokenCodec(Key(), 1), token);
  // Another process with the same key.
  const auto opened = SealedTokenCodec(Key(), 2).Open(sealed);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ExpectSame(*opened, token);
}

TEST(SealedTokenCodecTest, AnotherProcessReadsWhatOneHasSealed) { ExpectRoundTrip(Ordinary()); }

// What a daemon of version 0.1 has sealed: during a rollout the next version has to read it.
TEST(SealedTokenCodecTest, TheFormatStays) {
  DeliveryToken token = Ordinary();
  token.has_key = false;
  token.key.clear();
  EXPECT_EQ(absl::BytesToHexString(Seal(SealedTokenCodec(std::string(32, 'k'), 77), token)),
            "020115cd853dfe9c97171032547698badcfe01e8a07e159d97170294c47a1c9d9717858080e804c0c407c7a80e0259e807064f5244"
            "455253087368697070696e67008dc85aad3b36c538a674be4e6756412b");
}

TEST(SealedTokenCodecTest, AnyAckSubjectComesBack) {
  for (const char* reply :
       {"", "$JS.ACK.", "ack.1", "$JS.ACK.hub.HASH.ORDERS.shipping.2.123456.234567.1700000100000000001.89",
        "$JS.ACK.ORDERS.shipping.2.123456.234567.1700000100000000001.89.more",
        "ORDERS.shipping.2.123456.234567.1700000100000000001.89",
        "$JS.ACKORDERS.shipping.2.123456.234567.1700000100000000001.89"}) {
    DeliveryToken token = Ordinary();
    token.reply = reply;
    token.numbers_at = 0;
    ExpectRoundTrip(token);
  }
}

TEST(SealedTokenCodecTest, OnlyWhatIsBetweenTheNamesIsKeptOfAnOrdinaryAckSubject) {
  DeliveryToken token = Ordinary();
  const size_t shortest = Seal(SealedTokenCodec(Key(), 1), token).size();
  token.reply = "$JS.ACK.hub.HASH.ORDERS.shipping.2.123456.234567.1700000100000000001.89";
  token.numbers_at = 33;
  ExpectRoundTrip(token);
  EXPECT_EQ(Seal(SealedTokenCodec(Key(), 1), token).size(), shortest + 9);
  // Of another consumer, by its names: whole.
  for (const char* names : {"$JS.ACK.ORDERS.billing.", "$JS.ACK.ORDERS.shopping.", "$JS.ACK.OTHERS.shipping."}) {
    token.reply = absl::StrCat(names, "2.123456.234567.1700000100000000001.89");
    token.numbers_at = static_cast<uint16_t>(strlen(names));
    const auto opened = SealedTokenCodec(Key(), 1).Open(Seal(SealedTokenCodec(Key(), 1), token));
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(opened->reply, token.reply);
    EXPECT_EQ(opened->numbers_at, 0);
  }
}

TEST(SealedTokenCodecTest, ExtremesComeBack) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  DeliveryToken token;
  ExpectRoundTrip(token);
  token.consumer_created_ns = std::numeric_limits<int64_t>::max();
  token.instance = token.id = kMost;
  token.stream_sequence = token.consumer_sequence = token.num_delivered = token.num_pending = token.bytes = kMost;
  token.timestamp_ns = std::numeric_limits<int64_t>::min();
  token.stream = std::string(255, 's');
  token.durable = std::string(255, 'd');
  token.has_key = true;
  token.key = std::string("\0\n", 2);
  ExpectRoundTrip(token);
}

// What consumer.proto says of a token's length.
TEST(SealedTokenCodecTest, HasAtMost256BytesWithNamesOf128) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  DeliveryToken token = Ordinary();
  EXPECT_LE(Seal(SealedTokenCodec(Key(), 1), token).size(), 128u);
  token.stream = std::string(40, 's');
  token.durable = std::string(40, 'd');
  token.key = std::string(48, 'k');
  token.id = token.stream_sequence = token.consumer_sequence = token.num_delivered = token.num_pending = kMost;
  token.bytes = uint64_t{1} << 30;
  token.reply =
      absl::StrCat("$JS.ACK.", token.stream, ".", token.durable, ".", token.num_delivered, ".", token.stream_sequence,
                   ".", token.consumer_sequence, ".", token.timestamp_ns, ".", token.num_pending);
  token.numbers_at = 8 + 41 + 41;
  EXPECT_LE(Seal(SealedTokenCodec(Key(), 1), token).size(), 256u);
}

TEST(SealedTokenCodecTest, TheLongestNamesStillMakeAToken) {
  DeliveryToken token = Ordinary();
  token.stream = std::string(255, 's');
  token.durable = std::string(255, 'd');
  token.key = std::string(DeliveryToken::kMostKey, 'k');
  token.reply = std::string(1024, 'r');
  token.numbers_at = 0;
  ExpectRoundTrip(token);
}

// Mutation that this catches: a comparison of fewer bytes of the seal, or of none.
TEST(SealedTokenCodecTest, EveryChangedBitIsNoticed) {
  const SealedTokenCodec codec(Key(), 1);
  const std::string sealed = Seal(codec, Ordinary());
  for (size_t byte = 0; byte < sealed.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = sealed;
      changed[byte] = static_cast<char>(changed[byte] ^ (1 << bit));
      EXPECT_TRUE(absl::IsInvalidArgument(codec.Open(changed).status())) << "byte " << byte << ", bit " << bit;
    }
  }
}

TEST(SealedTokenCodecTest, EveryOtherLengthIsNoticed) {
  const SealedTokenCodec codec(Key(), 1);
  const std::string sealed = Seal(codec, Ordinary());
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(codec.Open(sealed.substr(0, size)).ok()) << size;
    EXPECT_FALSE(codec.Open(sealed.substr(sealed.size() - size)).ok()) << size;
  }
  EXPECT_FALSE(codec.Open(sealed + '\0').ok());
  EXPECT_FALSE(codec.Open(sealed + sealed).ok());
  EXPECT_FALSE(codec.Open(std::string(1 << 20, '\1')).ok());
}

std::string SealOf(const std::string& body) {
  unsigned char seal[crypto_shorthash_siphashx24_BYTES];
  crypto_shorthash_siphashx24(seal, reinterpret_cast<const unsigned char*>(body.data()), body.size(),
                              reinterpret_cast<const unsigned char*>(Key().data()));
  return std::string(reinterpret_cast<const char*>(seal), sizeof(seal));
}

// Behind a seal that is right: what another version might write.
TEST(SealedTokenCodecTest, ABodyThatIsNoTokenIsRefused) {
  const SealedTokenCodec codec(Key(), 1);
  const std::string sealed = Seal(codec, Ordinary());
  const std::string body = sealed.substr(0, sealed.size() - SealedTokenCodec::kSealBytes);
  std::mt19937 random(1);
  uint64_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string other = body.substr(0, 1 + random() % body.size());
    for (uint32_t change = random() % 4; change > 0; --change)
      other[random() % other.size()] = static_cast<char>(random());
    other[0] = 2;
    refused += !codec.Open(other + SealOf(other)).ok();
  }
  EXPECT_GT(refused, 10'000u);
}

TEST(SealedTokenCodecTest, AnotherKeyOpensNothing) {
  const std::string sealed = Seal(SealedTokenCodec(Key(), 1), Ordinary());
  const auto opened = SealedTokenCodec(std::string(32, 'K'), 1).Open(sealed);
  EXPECT_TRUE(absl::IsInvalidArgument(opened.status()));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("its seal does not match"));
}

TEST(SealedTokenCodecTest, OneProcessMayHaveCrashed) {
  EXPECT_TRUE(SealedTokenCodec(Key(), 2, 1).crashed(1));
  EXPECT_FALSE(SealedTokenCodec(Key(), 2, 1).crashed(3));
  EXPECT_FALSE(SealedTokenCodec(Key(), 2).crashed(0));
}

TEST(SealedTokenCodecTest, RefusalsAreSentences) {
  const SealedTokenCodec codec(Key(), 1);
  std::string sealed = Seal(codec, Ordinary());
  sealed[0] = 1;
  EXPECT_EQ(codec.Open(sealed).status().message(), "not a token of this daemon: it is of another version");
  EXPECT_EQ(codec.Open("").status().message(), "not a token of this daemon: it has only 0 bytes");
}

}  // namespace
}  // namespace sluice::token
