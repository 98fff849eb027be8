#include "rpc/unary_requests.h"

#include "absl/strings/str_cat.h"
#include "rpc/requests.h"

namespace sluice::rpc {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

constexpr char kNoConsumer[] = "missing; name a consumer of the configuration";

}  // namespace

absl::StatusOr<core::FetchRequest> ReadFetch(const v1::FetchRequest& request) {
  if (request.consumer().empty()) return Invalid("consumer", kNoConsumer);
  core::FetchRequest fetch;
  if (request.batch() > core::OpenRequest::kMaxBatch) {
    return Invalid("batch", absl::StrCat(request.batch(), "; at most ", core::OpenRequest::kMaxBatch));
  }
  if (request.batch() > 0) fetch.batch = request.batch();
  if (request.max_bytes() > core::FetchRequest::kMostBytes) {
    return Invalid("max_bytes", absl::StrCat(request.max_bytes(), "; at most ", core::FetchRequest::kMostBytes));
  }
  if (request.max_bytes() > 0) fetch.max_bytes = request.max_bytes();
  if (request.has_max_wait()) {
    const auto max_wait = ReadDuration(request.max_wait(), core::FetchRequest::kMostWait, "max_wait");
    if (!max_wait.ok()) return max_wait.status();
    fetch.max_wait = *max_wait;
  }
  if (request.has_lease()) {
    const auto lease = ReadDuration(request.lease(), kMaxFetchLease, "lease");
    if (!lease.ok()) return lease.status();
    if (*lease < core::FetchRequest::kLeastLease) {
      return Invalid("lease", absl::StrCat(absl::FormatDuration(*lease), "; at least ",
                                           absl::FormatDuration(core::FetchRequest::kLeastLease)));
    }
    fetch.lease = *lease;
  }
  return fetch;
}

absl::StatusOr<core::Settlement> ReadSettleRequest(const v1::SettleRequest& request) {
  if (request.consumer().empty()) return Invalid("consumer", kNoConsumer);
  if (request.tokens().empty()) return Invalid("tokens", "missing; name those of the deliveries to settle");
  if (request.tokens_size() > kMaxSettleTokens) {
    return Invalid("tokens", absl::StrCat(request.tokens_size(), " tokens; at most ", kMaxSettleTokens));
  }
  core::Settlement settlement;
  switch (request.verdict_case()) {
    case v1::SettleRequest::kAck:
      return settlement;
    case v1::SettleRequest::kInProgress:
      settlement.verdict = core::Verdict::kInProgress;
      return settlement;
    case v1::SettleRequest::kNak:
      return ReadNak(request.nak(), "nak");
    case v1::SettleRequest::kTerm:
      return ReadTerm(request.term(), "term");
    case v1::SettleRequest::VERDICT_NOT_SET:
      break;
  }
  return Invalid("verdict", "missing; set ack, nak, term or in_progress");
}

}  // namespace sluice::rpc
