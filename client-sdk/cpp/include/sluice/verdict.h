#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

// What is to become of a message. Made by Ack(), Nak() and Term() below. A value.
class Verdict {
 public:
  enum class Kind : uint8_t { kAck, kNak, kTerm };

  Kind kind() const { return kind_; }
  std::chrono::milliseconds delay() const { return delay_; }  // of a nak
  const std::string& reason() const { return reason_; }       // of a term

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

// Done: JetStream will not deliver it again.
Verdict Ack();

// Failed: JetStream delivers it again, to any app of this consumer, not before `delay` from now. 0: at once, or by the
// consumer's redelivery policy. Brought into 0..24 h.
Verdict Nak(std::chrono::milliseconds delay = std::chrono::milliseconds(0));

// Hopeless: JetStream never delivers it again. `reason` is for people; cut at 1,024 bytes, line breaks become spaces.
Verdict Term(std::string_view reason = {});

}  // namespace sluice
