#include "core/dead_letter.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sluice::core {
namespace {

namespace header = dead_letter_header;

constexpr char kNatsPrefix[] = "Nats-";
constexpr char kTtl[] = "Nats-TTL";

// A header cannot hold a line break; what an app says may.
std::string OnOneLine(std::string text) {
  for (char& c : text) c = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  return text;
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E9SZ", time, absl::UTCTimeZone()); }

bool IsOurs(absl::string_view name) {
  return absl::StartsWithIgnoreCase(name, header::kPrefix) || absl::StartsWithIgnoreCase(name, header::kOriginal);
}

}  // namespace

absl::string_view DeadLetterReasonName(DeadLetterReason reason) {
  static constexpr absl::string_view kNames[] = {"failed", "terminated", "max_deliveries", "last_delivery", "given_up"};
  return kNames[static_cast<int>(reason)];
}

std::string DeadLetterId(absl::string_view stream, absl::string_view durable, uint64_t stream_sequence,
                         int64_t timestamp_ns) {
  return absl::StrCat("sluice-dead-letter/", stream, "/", durable, "/", stream_sequence, "/", timestamp_ns);
}

DeadLetter MakeDeadLetter(const std::string& subject, const Message& message, const DeadLetterFacts& facts) {
  DeadLetter letter;
  letter.subject = subject;
  letter.data = message.data;
  letter.stream_sequence = message.stream_sequence;
  letter.reason = facts.reason;
  const auto add = [&](absl::string_view name, absl::string_view value) { letter.headers.emplace_back(name, value); };
  for (const Header& original : message.headers) {
    const bool set_aside = absl::StartsWithIgnoreCase(original.name, kNatsPrefix) || IsOurs(original.name);
    add(set_aside ? absl::StrCat(header::kOriginal, original.name) : std::string(original.name), original.value);
  }
  add(header::kMsgId, DeadLetterId(facts.stream, facts.durable, message.stream_sequence, message.timestamp_ns));
  add(header::kReason, DeadLetterReasonName(facts.reason));
  if (!facts.detail.empty()) add(header::kDetail, OnOneLine(facts.detail));
  add(header::kAttempts, absl::StrCat(facts.attempts));
  add(header::kStream, facts.stream);
  add(header::kConsumer, facts.durable);
  add(header::kSequence, absl::StrCat(message.stream_sequence));
  add(header::kSubject, message.subject);
  add(header::kTimestamp, TimeText(absl::FromUnixNanos(message.timestamp_ns)));
  if (facts.first_attempt > absl::InfinitePast()) add(header::kFirstAttempt, TimeText(facts.first_attempt));
  add(header::kLastAttempt, TimeText(facts.last_attempt));
  return letter;
}

std::vector<std::pair<std::string, std::string>> OriginalHeaders(const std::vector<Header>& dead_letter) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const Header& one : dead_letter) {
    absl::string_view name = one.name;
    if (absl::StartsWithIgnoreCase(name, header::kPrefix) || absl::StartsWithIgnoreCase(name, kNatsPrefix) ||
        absl::EqualsIgnoreCase(name, header::kRedrivenFrom)) {
      continue;
    }
    if (absl::StartsWithIgnoreCase(name, header::kOriginal)) {
      const absl::string_view original = name.substr(sizeof(header::kOriginal) - 1);
      const bool acts = absl::StartsWithIgnoreCase(original, kNatsPrefix) && !absl::EqualsIgnoreCase(original, kTtl);
      if (!acts) name = original;
    }
    headers.emplace_back(name, one.value);
  }
  return headers;
}

}  // namespace sluice::core
