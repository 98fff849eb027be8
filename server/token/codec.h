#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/delivery_token.h"

namespace sluice::token {

// core's TokenCodec: a compact binary form, and a seal, SipHash-2-4 of 128 bits, under a key that only daemons have. It
// keeps apps from making up verdicts on messages they were never given; it hides nothing. (SipHash is made for short
// texts: a seal takes 60 ns, of HMAC-SHA256 it took 170, for each message.)
//
//   version | flags | created, instance, timestamp, deadline: 8 bytes each | id, three sequences, ... : varints |
//   stream, durable, ack subject, key: length and bytes | seal
//
// Of an ordinary ack subject, only what is between "$JS.ACK." and the names is stored: the rest is made of the other
// fields. So a token has at most 256 bytes as long as stream, durable, key and that part (none, or domain and account
// hash) have at most 128 together, some 90 in ordinary cases; longer names make it longer by as much.
class SealedTokenCodec final : public core::TokenCodec {
 public:
  static constexpr size_t kKeyBytes = 32;  // of which SipHash takes the first 16
  static constexpr size_t kSealBytes = 16;
  // With every name as long as nats-server lets it be. What is longer is not a token.
  static constexpr size_t kMostBytes = 2048;

  // `key`: kKeyBytes, from LoadOrMakeKey() or RandomKey(). `instance`: at random, of this process. `crashed`: from
  // ServingMark; 0: none.
  SealedTokenCodec(absl::string_view key, uint64_t instance, uint64_t crashed = 0);

  uint64_t instance() const override { return instance_; }
  bool crashed(uint64_t instance) const override { return instance == crashed_ && crashed_ != 0; }
  void Seal(const core::DeliveryToken& token, std::string* sealed) const override;
  absl::StatusOr<core::DeliveryToken> Open(absl::string_view sealed) const override;

 private:
  using SealOf = std::array<unsigned char, kSealBytes>;
  SealOf SealFor(absl::string_view body) const;

  std::array<unsigned char, 16> key_;
  const uint64_t instance_;
  const uint64_t crashed_;
};

}  // namespace sluice::token
