#include "token/codec.h"

#include <sodium.h>

#include <bit>
#include <cstring>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/check.h"

namespace sluice::token {
namespace {

using core::DeliveryToken;

constexpr char kVersion = 2;
constexpr char kOrdinaryReply = 1 << 0;
constexpr char kHasKey = 1 << 1;
constexpr absl::string_view kAckPrefix = "$JS.ACK.";

// What an ordinary ack subject has between "$JS.ACK." and the names; nothing: it is not ordinary.
std::optional<absl::string_view> MiddleOf(const DeliveryToken& token) {
  absl::string_view rest = absl::string_view(token.reply).substr(0, token.numbers_at);
  const bool is_ordinary = absl::ConsumePrefix(&rest, kAckPrefix) && absl::ConsumeSuffix(&rest, ".") &&
                           absl::ConsumeSuffix(&rest, token.durable) && absl::ConsumeSuffix(&rest, ".") &&
                           absl::ConsumeSuffix(&rest, token.stream);
  if (!is_ordinary) return std::nullopt;
  return rest;
}

// Writes where there is room enough from the start: a token is made for each message.
class Writer {
 public:
  explicit Writer(size_t at_most) {
    if (at_most > sizeof(small_)) large_.resize(at_most);
    start_ = next_ = at_most > sizeof(small_) ? large_.data() : small_;
  }

  void Byte(char byte) { *next_++ = byte; }
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) Byte(static_cast<char>(value | 0x80));
    Byte(static_cast<char>(value));
  }
  void Fixed(uint64_t value) {
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
    Bytes(&value, sizeof(value));
  }
  void Bytes(const void* bytes, size_t size) {
    std::memcpy(next_, bytes, size);
    next_ += size;
  }
  void Text(absl::string_view text) {
    Varint(text.size());
    Bytes(text.data(), text.size());
  }

  absl::string_view written() const { return {start_, static_cast<size_t>(next_ - start_)}; }

 private:
  char small_[512];
  std::string large_;
  char* start_;
  char* next_;
};

constexpr size_t kMostVarint = 10;

// Reads what the functions above have written, and nothing beyond the end, whatever is there.
class Cursor {
 public:
  explicit Cursor(absl::string_view rest) : rest_(rest) {}

  char Byte() {
    if (!Has(1)) return 0;
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    return byte;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = static_cast<uint8_t>(Byte());
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  uint64_t Fixed() {
    if (!Has(8)) return 0;
    uint64_t value = 0;
    for (int byte = 0; byte < 8; ++byte) value |= uint64_t{static_cast<uint8_t>(rest_[byte])} << (8 * byte);
    rest_.remove_prefix(8);
    return value;
  }
  std::string Text() {
    const uint64_t size = Varint();
    if (!Has(size)) return "";
    const std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  bool AtEnd() const { return good_ && rest_.empty(); }

 private:
  bool Has(uint64_t bytes) {
    good_ = good_ && bytes <= rest_.size();
    return good_;
  }

  absl::string_view rest_;
  bool good_ = true;
};

absl::Status Refused(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a token of this daemon: ", what));
}

}  // namespace

SealedTokenCodec::SealedTokenCodec(absl::string_view key, uint64_t instance, uint64_t crashed)
    : instance_(instance), crashed_(crashed) {
  SLUICE_CHECK(key.size() == kKeyBytes, "a key is as long as LoadOrMakeKey() makes it");
  std::memcpy(key_.data(), key.data(), key_.size());
}

SealedTokenCodec::SealOf SealedTokenCodec::SealFor(absl::string_view body) const {
  static_assert(kSealBytes == crypto_shorthash_siphashx24_BYTES);
  static_assert(sizeof(key_) == crypto_shorthash_siphashx24_KEYBYTES);
  SealOf seal;
  crypto_shorthash_siphashx24(seal.data(), reinterpret_cast<const unsigned char*>(body.data()), body.size(),
                              key_.data());
  return seal;
}

void SealedTokenCodec::Seal(const DeliveryToken& token, std::string* sealed) const {
  const std::optional<absl::string_view> middle = MiddleOf(token);
  const absl::string_view reply = middle.value_or(token.reply);
  const size_t texts = token.stream.size() + token.durable.size() + reply.size() + token.key.size();
  Writer out(2 + 4 * sizeof(uint64_t) + 10 * kMostVarint + texts + kSealBytes);
  out.Byte(kVersion);
  out.Byte(static_cast<char>((middle ? kOrdinaryReply : 0) | (token.has_key ? kHasKey : 0)));
  out.Fixed(static_cast<uint64_t>(token.consumer_created_ns));
  out.Fixed(token.instance);
  out.Fixed(static_cast<uint64_t>(token.timestamp_ns));
  out.Fixed(static_cast<uint64_t>(absl::ToUnixNanos(token.ack_deadline)));
  out.Varint(token.id);
  out.Varint(token.stream_sequence);
  out.Varint(token.consumer_sequence);
  out.Varint(token.num_delivered);
  out.Varint(token.num_pending);
  out.Varint(token.bytes);
  out.Text(token.stream);
  out.Text(token.durable);
  out.Text(reply);
  if (token.has_key) out.Text(token.key);
  const SealOf seal = SealFor(out.written());
  out.Bytes(seal.data(), seal.size());
  sealed->assign(out.written().data(), out.written().size());
}

absl::StatusOr<DeliveryToken> SealedTokenCodec::Open(absl::string_view sealed) const {
  if (sealed.size() <= kSealBytes) return Refused(absl::StrCat("it has only ", sealed.size(), " bytes"));
  if (sealed.size() > kMostBytes) return Refused(absl::StrCat("it has ", sealed.size(), " bytes"));
  if (sealed.front() != kVersion) return Refused("it is of another version");
  const absl::string_view body = sealed.substr(0, sealed.size() - kSealBytes);
  const SealOf seal = SealFor(body);
  // In a time that does not tell how much of a guess was right.
  if (sodium_memcmp(seal.data(), sealed.data() + body.size(), kSealBytes) != 0) {
    return Refused("its seal does not match; it was changed, or another daemon gave it, with another key");
  }

  Cursor cursor(body);
  DeliveryToken token;
  cursor.Byte();
  const char flags = cursor.Byte();
  token.consumer_created_ns = static_cast<int64_t>(cursor.Fixed());
  token.instance = cursor.Fixed();
  token.timestamp_ns = static_cast<int64_t>(cursor.Fixed());
  token.ack_deadline = absl::FromUnixNanos(static_cast<int64_t>(cursor.Fixed()));
  token.id = cursor.Varint();
  token.stream_sequence = cursor.Varint();
  token.consumer_sequence = cursor.Varint();
  token.num_delivered = cursor.Varint();
  token.num_pending = cursor.Varint();
  token.bytes = cursor.Varint();
  token.stream = cursor.Text();
  token.durable = cursor.Text();
  token.reply = cursor.Text();
  token.has_key = (flags & kHasKey) != 0;
  if (token.has_key) token.key = cursor.Text();
  if (!cursor.AtEnd()) return Refused("it does not hold what a token holds");
  if ((flags & kOrdinaryReply) != 0) {
    const std::string names = absl::StrCat(kAckPrefix, token.reply, token.stream, ".", token.durable, ".");
    token.numbers_at = static_cast<uint16_t>(names.size());
    token.reply = absl::StrCat(names, token.num_delivered, ".", token.stream_sequence, ".", token.consumer_sequence,
                               ".", token.timestamp_ns, ".", token.num_pending);
  }
  return token;
}

}  // namespace sluice::token
