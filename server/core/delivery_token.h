#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice::core {

// What the token of one delivery says: enough for another daemon process to settle its message, and to notice when it
// must not. Apps keep tokens and bring them back; to them a token is bytes.
struct DeliveryToken {
  // A longer key is left out: such a message has no place in its lane until it is settled.
  static constexpr size_t kMostKey = 128;  // bytes

  // The durable consumer.
  std::string stream;
  std::string durable;
  int64_t consumer_created_ns = 0;  // Unix time at which the server made it; one that was made anew has another

  // The delivery, in the daemon process that gave the token.
  uint64_t instance = 0;  // of the process, at random
  uint64_t id = 0;

  // The attempt, in JetStream's terms.
  std::string reply;        // the ack subject
  uint16_t numbers_at = 0;  // in it, as of Message; what is put together from the other fields need not be kept
  uint64_t stream_sequence = 0;
  uint64_t consumer_sequence = 0;
  uint64_t num_delivered = 0;
  uint64_t num_pending = 0;
  int64_t timestamp_ns = 0;  // Unix time at which the stream stored the message

  // When the ack wait would have run out as of when the token was given. The daemon extends it without a new token, so
  // after that nobody but the daemon knows.
  absl::Time ack_deadline = absl::UnixEpoch();
  uint64_t bytes = 0;  // of byte credit

  bool has_key = false;  // with ordering: key, unless it is too long
  std::string key;
};

// Port: makes tokens that nobody else can. token/ implements it with a key, test/support without. Loop only.
class TokenCodec {
 public:
  virtual ~TokenCodec() = default;

  // Of this daemon process; see DeliveryToken::instance.
  virtual uint64_t instance() const = 0;
  // Whether that process served here right before this one, and died without beginning a drain: then it has given back
  // nothing of what its apps held.
  virtual bool crashed(uint64_t instance) const = 0;
  // Replaces `sealed`, whose room is used again: this is the hot path of resumable streams.
  virtual void Seal(const DeliveryToken& token, std::string* sealed) const = 0;
  // Takes any bytes. INVALID_ARGUMENT, with a sentence for the app, unless it was sealed with the same key, by
  // whichever process; then it is as it was sealed, and whether it still holds is the caller's to find out.
  virtual absl::StatusOr<DeliveryToken> Open(absl::string_view sealed) const = 0;
};

}  // namespace sluice::core
