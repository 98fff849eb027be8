/// @file
/// What is to become of a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace sluice {

/// What is to become of a message. Made by Ack(), Nak() and Term(), or from a RetryAfter or Reject. A value.
class Verdict {
 public:
  enum class Kind : uint8_t { kAck, kNak, kTerm };

  Kind kind() const { return kind_; }
  std::chrono::milliseconds delay() const { return delay_; }  ///< of a nak
  const std::string& reason() const { return reason_; }       ///< of a term

  bool operator==(const Verdict&) const = default;

 private:
  friend Verdict Ack();
  friend Verdict Nak(std::chrono::milliseconds delay);
  friend Verdict Term(std::string_view reason);
  explicit Verdict(Kind kind) : kind_(kind) {}

  Kind kind_;
  std::chrono::milliseconds delay_{0};
  std::string reason_;
};

/// Done: JetStream will not deliver it again.
Verdict Ack();

/// Failed: JetStream delivers it again, to any app of this consumer.
/// @param delay  not before this long from now; 0: at once, or by the consumer's redelivery policy. Brought into 0..24
/// h.
Verdict Nak(std::chrono::milliseconds delay = std::chrono::milliseconds(0));

/// Hopeless: JetStream never delivers it again.
/// @param reason  for people; cut at 1,024 bytes, line breaks become spaces.
Verdict Term(std::string_view reason = {});

/// A verdict to throw from however deep inside a handler: Nak(delay). No failure of the handler's: it is not counted as
/// `thrown`, nor told to `on_error`. May be returned as well.
class RetryAfter : public std::exception {
 public:
  explicit RetryAfter(std::chrono::milliseconds delay) : verdict_(Nak(delay)) {}

  operator Verdict() const { return verdict_; }  // NOLINT(google-explicit-constructor): to be returned as one
  const char* what() const noexcept override { return "sluice::RetryAfter"; }

 private:
  Verdict verdict_;
};

/// The same for Term(reason): hopeless, never again.
class Reject : public std::exception {
 public:
  explicit Reject(std::string_view reason = {}) : verdict_(Term(reason)) {}

  operator Verdict() const { return verdict_; }  // NOLINT(google-explicit-constructor): to be returned as one
  const char* what() const noexcept override { return verdict_.reason().c_str(); }

 private:
  Verdict verdict_;
};

/// What became of a verdict, with ConsumeOptions::confirm.
enum class Outcome : uint8_t {
  kConfirmed,  ///< the NATS server has taken it
  kLate,       ///< it came after the lease had ended: an ack was forwarded all the same, a nak or term was not
  kNotHeld,    ///< the daemon holds no such message for this app: given back, or settled before
  kFailed,     ///< it could not be confirmed; the message may be delivered again
};
const char* ToString(Outcome outcome);  ///< "CONFIRMED", "LATE", ...

}  // namespace sluice
