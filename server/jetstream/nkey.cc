#include "jetstream/nkey.h"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace sluice::jetstream {
namespace {

constexpr absl::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr size_t kKeyBytes = 32;
constexpr size_t kSeedBytes = 2 + kKeyBytes + 2;  // two prefixes in one, the seed, a checksum
constexpr size_t kSeedDigits = 58;
constexpr uint8_t kSeedPrefix = 18 << 3;  // 'S'
constexpr uint8_t kUserPrefix = 20 << 3;  // 'U'

// CRC-16/XMODEM.
uint16_t Checksum(const uint8_t* bytes, size_t size) {
  uint16_t crc = 0;
  for (size_t i = 0; i < size; ++i) {
    crc ^= static_cast<uint16_t>(bytes[i] << 8);
    for (int bit = 0; bit < 8; ++bit) crc = static_cast<uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
  }
  return crc;
}

// Empty if it holds anything but base 32 digits.
std::vector<uint8_t> DecodeBase32(absl::string_view text) {
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kBase32.find(c);
    if (digit == absl::string_view::npos) return {};
    bits = (bits << 5) | static_cast<uint32_t>(digit);
    count += 5;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<uint8_t>(bits >> count));
    }
  }
  return bytes;
}

std::string EncodeBase32(const std::vector<uint8_t>& bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5) text += kBase32[(bits >> (count - 5)) & 31];
  }
  if (count > 0) text += kBase32[(bits << (5 - count)) & 31];
  return text;
}

bool IsUserSeed(const std::vector<uint8_t>& bytes) {
  if (bytes.size() != kSeedBytes) return false;
  const uint16_t checksum = static_cast<uint16_t>(bytes[kSeedBytes - 2] | (bytes[kSeedBytes - 1] << 8));
  const uint8_t role = static_cast<uint8_t>(((bytes[0] & 7) << 5) | ((bytes[1] & 0xf8) >> 3));
  return (bytes[0] & 0xf8) == kSeedPrefix && role == kUserPrefix && Checksum(bytes.data(), kSeedBytes - 2) == checksum;
}

}  // namespace

absl::StatusOr<std::string> PublicNKey(absl::string_view seed) {
  const std::vector<uint8_t> bytes = DecodeBase32(seed);
  if (seed.size() != kSeedDigits || !IsUserSeed(bytes))
    return absl::InvalidArgumentError("it holds no user's NKey seed (58 characters, SU...)");

  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes.data() + 2, kKeyBytes), EVP_PKEY_free);
  std::vector<uint8_t> encoded(1 + kKeyBytes, kUserPrefix);
  size_t size = kKeyBytes;
  if (key == nullptr || EVP_PKEY_get_raw_public_key(key.get(), encoded.data() + 1, &size) != 1) {
    return absl::InternalError("OpenSSL cannot derive the public key of an NKey seed");
  }
  const uint16_t checksum = Checksum(encoded.data(), encoded.size());
  encoded.push_back(static_cast<uint8_t>(checksum & 0xff));
  encoded.push_back(static_cast<uint8_t>(checksum >> 8));
  return EncodeBase32(encoded);
}

}  // namespace sluice::jetstream
