// Copying a context is what makes it quick, and only the functions that OpenSSL 3 calls deprecated let us.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token/hmac.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace sluice::token {
namespace {

SHA256_CTX Start(absl::string_view key, char pad) {
  std::string block(SHA256_CBLOCK, pad);
  for (size_t i = 0; i < key.size(); ++i) block[i] = static_cast<char>(block[i] ^ key[i]);
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, block.data(), block.size());
  return context;
}

}  // namespace

Hmac::Hmac(absl::string_view key) {
  SLUICE_CHECK(key.size() <= SHA256_CBLOCK, "a key has at most 64 bytes");
  inner_ = Start(key, 0x36);
  outer_ = Start(key, 0x5c);
}

Hmac::Digest Hmac::Of(absl::string_view text) const {
  Digest digest;
  SHA256_CTX context = inner_;
  SHA256_Update(&context, text.data(), text.size());
  SHA256_Final(digest.data(), &context);
  context = outer_;
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

}  // namespace sluice::token
