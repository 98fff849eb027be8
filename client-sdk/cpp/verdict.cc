#include "sluice/verdict.h"

#include <algorithm>

#include "client-sdk/cpp/utf8.h"

namespace sluice {
namespace {

// Limits of sluice.v1: a verdict beyond them would end the stream.
constexpr std::chrono::milliseconds kLongestDelay = std::chrono::hours(24);
constexpr size_t kLongestReason = 1024;

}  // namespace

Verdict Ack() { return Verdict(Verdict::Kind::kAck); }

Verdict Nak(std::chrono::milliseconds delay) {
  Verdict verdict(Verdict::Kind::kNak);
  verdict.delay_ = std::clamp(delay, std::chrono::milliseconds(0), kLongestDelay);
  return verdict;
}

Verdict Term(std::string_view reason) {
  Verdict verdict(Verdict::Kind::kTerm);
  verdict.reason_ = internal::ToUtf8(reason, kLongestReason);
  const auto breaks_line = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(verdict.reason_.begin(), verdict.reason_.end(), breaks_line, ' ');
  return verdict;
}

const char* ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kConfirmed:
      return "CONFIRMED";
    case Outcome::kLate:
      return "LATE";
    case Outcome::kNotHeld:
      return "NOT_HELD";
    case Outcome::kFailed:
      return "FAILED";
  }
  return "?";
}

}  // namespace sluice
