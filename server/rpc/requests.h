#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/app_stream.h"
#include "core/settlement.h"
#include "sluice/v1/consumer.pb.h"

// What an app says, checked against the limits of the contract, in core's words. Every error is for the app: the field
// by its path, what is wrong with it, and the limit. INVALID_ARGUMENT.
namespace sluice::rpc {

inline constexpr size_t kMaxClientId = 128;     // bytes
inline constexpr int kMaxResume = 1 << 20;      // entries
inline constexpr int kMaxSettled = 1 << 20;     // ids, and runs, in one request: none can hold more
inline constexpr size_t kMaxTermReason = 1024;  // bytes
inline constexpr absl::Duration kMaxNakDelay = absl::Hours(24);
inline constexpr absl::Duration kMaxDrainTimeout = absl::Hours(24);

absl::StatusOr<core::OpenRequest> ReadOpen(const v1::Open& open);
absl::StatusOr<core::Credit> ReadCredit(const v1::Credit& credit, absl::string_view field);

// Replaces `runs`, whose spans point into `settle`. All or nothing: one bad run refuses the whole request.
absl::Status ReadSettle(const v1::Settle& settle, std::vector<core::SettleRun>* runs);

// Of `Drain` and of `DrainRequest`, which both have an optional `timeout`.
template <typename Request>
absl::StatusOr<std::optional<absl::Duration>> ReadDrainTimeout(const Request& request, absl::string_view field);

// Verdicts with something to check; the settlement of a Term views its reason.
absl::StatusOr<core::Settlement> ReadNak(const v1::Nak& nak, absl::string_view field);
absl::StatusOr<core::Settlement> ReadTerm(const v1::Term& term, absl::string_view field);

// A duration of 0..`most`.
absl::StatusOr<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, absl::Duration most,
                                            absl::string_view field);

template <typename Request>
absl::StatusOr<std::optional<absl::Duration>> ReadDrainTimeout(const Request& request, absl::string_view field) {
  if (!request.has_timeout()) return std::nullopt;
  absl::StatusOr<absl::Duration> timeout = ReadDuration(request.timeout(), kMaxDrainTimeout, field);
  if (!timeout.ok()) return timeout.status();
  return *timeout;
}

}  // namespace sluice::rpc
