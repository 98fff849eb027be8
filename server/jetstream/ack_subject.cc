#include "jetstream/ack_subject.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"

namespace sluice::jetstream {
namespace {

constexpr absl::string_view kPrefix = "$JS.ACK.";
constexpr int kShortTokens = 9;
constexpr int kLongTokens = 11;  // or more: servers may append
constexpr int kNumbers = 5;
constexpr int kStreamSequence = 1;  // of the numbers
constexpr int kConsumerSequence = 2;
constexpr uint64_t kNoStreamSequence = uint64_t{1} << 62;  // an int64 to the server

// Takes the first token of `rest`, with its dot. False if there is none, or if it is empty.
bool TakeToken(absl::string_view& rest, absl::string_view& token) {
  const size_t dot = rest.find('.');
  token = rest.substr(0, dot);
  rest = dot == absl::string_view::npos ? absl::string_view() : rest.substr(dot + 1);
  return !token.empty();
}

// Decimal digits only: absl::SimpleAtoi would accept spaces and signs, and costs more on this path.
bool ParseNumber(absl::string_view digits, uint64_t& number) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (number > (kMost - digit) / 10) return false;
    number = number * 10 + digit;
  }
  return !digits.empty();
}

int CountTokens(absl::string_view subject) {
  int tokens = 1;
  for (const char c : subject) tokens += c == '.';
  return tokens;
}

// Of the tokens between the prefix and the numbers: [domain, account hash,] stream, consumer.
int CountNames(int tokens) { return tokens == kShortTokens ? 2 : 4; }

// `reply` with another one in the place of its i-th number.
std::string WithNumber(absl::string_view reply, int i, uint64_t number) {
  absl::string_view rest = reply.substr(kPrefix.size());
  absl::string_view token;
  const int before = CountNames(CountTokens(reply)) + i;
  for (int taken = 0; taken < before; ++taken) TakeToken(rest, token);
  const absl::string_view head = reply.substr(0, reply.size() - rest.size());
  TakeToken(rest, token);
  return absl::StrCat(head, number, ".", rest);
}

}  // namespace

absl::string_view ConsumerOf(absl::string_view reply) {
  if (reply.substr(0, kPrefix.size()) != kPrefix) return "";
  const int tokens = CountTokens(reply);
  if (tokens != kShortTokens && tokens < kLongTokens) return "";
  absl::string_view rest = reply.substr(kPrefix.size());
  absl::string_view token;
  for (int i = CountNames(tokens); i > 2; --i) TakeToken(rest, token);
  const absl::string_view names = rest;
  if (!TakeToken(rest, token) || !TakeToken(rest, token)) return "";
  return names.substr(0, names.size() - rest.size() - 1);
}

bool ParseAckSubject(absl::string_view reply, core::Message& message) {
  if (reply.substr(0, kPrefix.size()) != kPrefix) return false;
  const int tokens = CountTokens(reply);
  if (tokens != kShortTokens && tokens < kLongTokens) return false;

  absl::string_view rest = reply.substr(kPrefix.size());
  absl::string_view token;
  for (int i = 0; i < CountNames(tokens); ++i) {
    if (!TakeToken(rest, token)) return false;
  }
  const size_t numbers_at = reply.size() - rest.size();
  bool as_written = numbers_at <= std::numeric_limits<uint16_t>::max();
  uint64_t numbers[kNumbers];
  for (uint64_t& number : numbers) {
    if (!TakeToken(rest, token) || !ParseNumber(token, number)) return false;
    as_written = as_written && (token.front() != '0' || token.size() == 1);
  }
  as_written = as_written && reply.size() == static_cast<size_t>(token.data() + token.size() - reply.data());
  const auto [delivered, stream_sequence, consumer_sequence, timestamp, pending] = numbers;
  if (timestamp > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;

  message.num_delivered = delivered;
  message.stream_sequence = stream_sequence;
  message.consumer_sequence = consumer_sequence;
  message.timestamp_ns = static_cast<int64_t>(timestamp);
  message.num_pending = pending;
  message.numbers_at = as_written ? static_cast<uint16_t>(numbers_at) : 0;
  return true;
}

std::string AckSubjectAs(absl::string_view reply, uint64_t consumer_sequence) {
  return WithNumber(reply, kConsumerSequence, consumer_sequence);
}

std::string AckSubjectOfNoMessage(absl::string_view reply) {
  return WithNumber(reply, kStreamSequence, kNoStreamSequence);
}

}  // namespace sluice::jetstream
