#include "jetstream/pull_status.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "jetstream/header_block.h"

namespace sluice::jetstream {
namespace {

using Kind = core::PullStatus::Kind;

// One code for many conditions, told apart by their text alone: nats-server's own clients do it so, too. Part of the
// text, without regard to case, because the servers of the years differ in both.
constexpr struct {
  absl::string_view text;
  Kind kind;
} kConflicts[] = {
    {"batch completed", Kind::kExpired},
    {"message size exceeds maxbytes", Kind::kMessageTooLarge},
    {"exceeded max", Kind::kLimitExceeded},  // MaxWaiting, MaxRequestBatch, MaxRequestExpires, MaxRequestMaxBytes
    {"leadership change", Kind::kLeadershipChange},
    {"server shutdown", Kind::kServerShutdown},
    {"consumer deleted", Kind::kConsumerDeleted},
    {"push based", Kind::kPushBased},
};

Kind KindOf(absl::string_view code, absl::string_view text) {
  if (code == "100") return Kind::kHeartbeat;
  if (code == "400") return Kind::kBadRequest;
  if (code == "404" || code == "408") return Kind::kExpired;
  if (code == "503") return Kind::kNoResponders;
  if (code == "423") return Kind::kWrongPin;  // Nats-Pin-Id mismatch, and Nats-Wrong-Pin-Id
  if (code != "409") return Kind::kUnknown;   // 412: of priorities, which nothing here asks for
  const std::string lower = absl::AsciiStrToLower(text);
  for (const auto& conflict : kConflicts) {
    if (absl::StrContains(lower, conflict.text)) return conflict.kind;
  }
  return Kind::kUnknown;
}

}  // namespace

std::optional<core::PullStatus> ParsePullStatus(absl::string_view header_block, uint64_t pull_id) {
  const absl::string_view status = StatusOf(header_block);
  if (status.empty()) return std::nullopt;
  const absl::string_view code = status.substr(0, status.find(' '));
  core::PullStatus result;
  result.kind = KindOf(code, status.substr(code.size()));
  result.pull_id = pull_id;
  result.description = std::string(status);
  for (const core::Header& header : ParseHeaders(header_block)) {
    uint64_t unsent = 0;
    if (header.name == "Nats-Pending-Messages" && absl::SimpleAtoi(header.value, &unsent)) result.unsent = unsent;
  }
  return result;
}

uint64_t PullIdOf(absl::string_view subject) {
  const size_t dot = subject.rfind('.');
  uint64_t id = 0;
  if (dot == absl::string_view::npos || !absl::SimpleAtoi(subject.substr(dot + 1), &id)) return 0;
  return id;
}

}  // namespace sluice::jetstream
