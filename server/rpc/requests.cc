#include "rpc/requests.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace sluice::rpc {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

absl::Status ReadResume(const v1::Open& open, core::OpenRequest* request) {
  if (open.resume_size() > kMaxResume) {
    return Invalid("open.resume", absl::StrCat(open.resume_size(), " entries; at most ", kMaxResume));
  }
  for (const v1::Held& held : open.resume()) {
    // Ids are of one daemon's life, tokens outlive it: where there is one, the id is the app's own affair.
    if (held.token().empty()) {
      request->resume.push_back(held.id());
    } else {
      request->tokens.push_back({held.id(), held.token()});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<core::Settlement> ReadNak(const v1::Nak& nak, absl::string_view field) {
  core::Settlement settlement;
  settlement.verdict = core::Verdict::kNak;
  if (nak.has_delay()) {
    absl::StatusOr<absl::Duration> delay = ReadDuration(nak.delay(), kMaxNakDelay, absl::StrCat(field, ".delay"));
    if (!delay.ok()) return delay.status();
    settlement.nak_delay = *delay;
  }
  return settlement;
}

absl::StatusOr<core::Settlement> ReadTerm(const v1::Term& term, absl::string_view field) {
  const std::string& reason = term.reason();
  if (reason.size() > kMaxTermReason) {
    return Invalid(absl::StrCat(field, ".reason"), absl::StrCat(reason.size(), " bytes; at most ", kMaxTermReason));
  }
  if (reason.find_first_of("\r\n") != std::string::npos) {
    return Invalid(absl::StrCat(field, ".reason"), "holds a line break; write it as one line");
  }
  core::Settlement settlement;
  settlement.verdict = core::Verdict::kTerm;
  settlement.term_reason = reason;
  return settlement;
}

namespace {

absl::StatusOr<core::Settlement> ReadVerdict(const v1::SettleRun& run, int index) {
  core::Settlement settlement;
  switch (run.verdict_case()) {
    case v1::SettleRun::kAck:
      settlement.verdict = core::Verdict::kAck;
      return settlement;
    case v1::SettleRun::kInProgress:
      settlement.verdict = core::Verdict::kInProgress;
      return settlement;
    case v1::SettleRun::kNak:
      return ReadNak(run.nak(), absl::StrCat("settle.runs[", index, "].nak"));
    case v1::SettleRun::kTerm:
      return ReadTerm(run.term(), absl::StrCat("settle.runs[", index, "].term"));
    case v1::SettleRun::VERDICT_NOT_SET:
      break;
  }
  return Invalid(absl::StrCat("settle.runs[", index, "].verdict"), "missing; set ack, nak, term or in_progress");
}

}  // namespace

absl::StatusOr<core::OpenRequest> ReadOpen(const v1::Open& open) {
  if (open.consumer().empty()) return Invalid("open.consumer", "missing; name a consumer of the configuration");
  if (open.client_id().size() > kMaxClientId) {
    return Invalid("open.client_id", absl::StrCat(open.client_id().size(), " bytes; at most ", kMaxClientId));
  }
  if (open.max_batch() > core::OpenRequest::kMaxBatch) {
    return Invalid("open.max_batch", absl::StrCat(open.max_batch(), "; at most ", core::OpenRequest::kMaxBatch));
  }

  core::OpenRequest request;
  if (open.has_credit()) {
    absl::StatusOr<core::Credit> credit = ReadCredit(open.credit(), "open.credit");
    if (!credit.ok()) return credit.status();
    request.credit = *credit;
  }
  if (absl::Status status = ReadResume(open, &request); !status.ok()) return status;
  request.resumable = open.resumable();
  request.consumer = open.consumer();
  request.confirm_settlements = open.confirm_settlements();
  request.client_id = open.client_id();
  if (open.max_batch() > 0) request.max_batch = open.max_batch();
  return request;
}

absl::StatusOr<core::Credit> ReadCredit(const v1::Credit& credit, absl::string_view field) {
  if (credit.messages() > core::Credit::kMaxMessages) {
    return Invalid(absl::StrCat(field, ".messages"),
                   absl::StrCat(credit.messages(), "; at most ", core::Credit::kMaxMessages));
  }
  if (credit.bytes() > core::Credit::kMaxBytes) {
    return Invalid(absl::StrCat(field, ".bytes"), absl::StrCat(credit.bytes(), "; at most ", core::Credit::kMaxBytes));
  }
  core::Credit out;
  out.messages = credit.messages();
  if (credit.bytes() > 0) out.bytes = credit.bytes();
  return out;
}

absl::Status ReadSettle(const v1::Settle& settle, std::vector<core::SettleRun>* runs) {
  runs->clear();
  if (settle.runs_size() > kMaxSettled) {
    return Invalid("settle.runs", absl::StrCat(settle.runs_size(), " runs; at most ", kMaxSettled));
  }
  int64_t ids = 0;
  for (int i = 0; i < settle.runs_size(); ++i) {
    const v1::SettleRun& run = settle.runs(i);
    absl::StatusOr<core::Settlement> settlement = ReadVerdict(run, i);
    if (!settlement.ok()) return settlement.status();
    ids += run.ids_size();
    runs->push_back({.ids = absl::MakeConstSpan(run.ids().data(), run.ids().size()), .settlement = *settlement});
  }
  if (ids > kMaxSettled) return Invalid("settle.runs", absl::StrCat(ids, " ids; at most ", kMaxSettled));
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, absl::Duration most,
                                            absl::string_view field) {
  constexpr int32_t kNanos = 1'000'000'000;
  const bool same_sign =
      duration.seconds() == 0 || duration.nanos() == 0 || (duration.seconds() < 0) == (duration.nanos() < 0);
  if (duration.nanos() <= -kNanos || duration.nanos() >= kNanos || !same_sign) {
    return Invalid(field, absl::StrCat("not a duration: ", duration.seconds(), " s and ", duration.nanos(), " ns"));
  }
  const absl::Duration value = absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (value < absl::ZeroDuration() || value > most) {
    return Invalid(field, absl::StrCat(absl::FormatDuration(value), "; 0 to ", absl::FormatDuration(most)));
  }
  return value;
}

}  // namespace sluice::rpc
