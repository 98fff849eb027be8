#include "token/codec.h"

#include <openssl/crypto.h>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sluice::token {
namespace {

using core::DeliveryToken;

constexpr char kVersion = 1;
constexpr char kOrdinaryReply = 1 << 0;
constexpr char kHasKey = 1 << 1;
constexpr absl::string_view kAckPrefix = "$JS.ACK.";

// "S.C.1.2.3.4.5": the names and numbers with which an ordinary ack subject ends.
std::string ReplyEnd(const DeliveryToken& token) {
  return absl::StrCat(token.stream, ".", token.durable, ".", token.num_delivered, ".", token.stream_sequence, ".",
                      token.consumer_sequence, ".", token.timestamp_ns, ".", token.num_pending);
}

void PutVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void PutFixed(uint64_t value, std::string* out) {
  for (int byte = 0; byte < 8; ++byte) out->push_back(static_cast<char>(value >> (8 * byte)));
}

void PutText(absl::string_view text, std::string* out) {
  PutVarint(text.size(), out);
  out->append(text.data(), text.size());
}

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

HmacTokenCodec::HmacTokenCodec(absl::string_view key, uint64_t instance, uint64_t crashed)
    : hmac_(key), instance_(instance), crashed_(crashed) {}

void HmacTokenCodec::Seal(const DeliveryToken& token, std::string* sealed) const {
  const std::string end = ReplyEnd(token);
  const bool ordinary = absl::StartsWith(token.reply, kAckPrefix) && absl::EndsWith(token.reply, end) &&
                        token.reply.size() >= kAckPrefix.size() + end.size();
  absl::string_view reply = token.reply;
  if (ordinary) reply = reply.substr(kAckPrefix.size(), reply.size() - kAckPrefix.size() - end.size());

  sealed->clear();
  sealed->push_back(kVersion);
  sealed->push_back(static_cast<char>((ordinary ? kOrdinaryReply : 0) | (token.has_key ? kHasKey : 0)));
  PutFixed(static_cast<uint64_t>(token.consumer_created_ns), sealed);
  PutFixed(token.instance, sealed);
  PutFixed(static_cast<uint64_t>(token.timestamp_ns), sealed);
  PutFixed(static_cast<uint64_t>(absl::ToUnixNanos(token.ack_deadline)), sealed);
  PutVarint(token.id, sealed);
  PutVarint(token.stream_sequence, sealed);
  PutVarint(token.consumer_sequence, sealed);
  PutVarint(token.num_delivered, sealed);
  PutVarint(token.num_pending, sealed);
  PutVarint(token.bytes, sealed);
  PutText(token.stream, sealed);
  PutText(token.durable, sealed);
  PutText(reply, sealed);
  if (token.has_key) PutText(token.key, sealed);
  const Hmac::Digest digest = hmac_.Of(*sealed);
  sealed->append(reinterpret_cast<const char*>(digest.data()), kSealBytes);
}

absl::StatusOr<DeliveryToken> HmacTokenCodec::Open(absl::string_view sealed) const {
  if (sealed.size() <= kSealBytes) return Refused(absl::StrCat("it has only ", sealed.size(), " bytes"));
  if (sealed.size() > kMostBytes) return Refused(absl::StrCat("it has ", sealed.size(), " bytes"));
  if (sealed.front() != kVersion) return Refused("it is of another version");
  const absl::string_view body = sealed.substr(0, sealed.size() - kSealBytes);
  const Hmac::Digest digest = hmac_.Of(body);
  // In a time that does not tell how much of a guess was right.
  if (CRYPTO_memcmp(digest.data(), sealed.data() + body.size(), kSealBytes) != 0) {
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
  if ((flags & kOrdinaryReply) != 0) token.reply = absl::StrCat(kAckPrefix, token.reply, ReplyEnd(token));
  return token;
}

}  // namespace sluice::token
