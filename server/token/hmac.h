#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sluice::token {

// HMAC-SHA256 (RFC 2104) with one key. What depends on the key alone is computed once, so that a short text costs three
// or four blocks of SHA-256 and no allocation; libcrypto's own HMAC allocates a context for each. Thread-safe.
class Hmac {
 public:
  static constexpr size_t kDigestBytes = SHA256_DIGEST_LENGTH;  // 32
  using Digest = std::array<uint8_t, kDigestBytes>;

  // At most 64 bytes.
  explicit Hmac(absl::string_view key);

  Digest Of(absl::string_view text) const;

 private:
  SHA256_CTX inner_;  // after the key's block
  SHA256_CTX outer_;
};

}  // namespace sluice::token
