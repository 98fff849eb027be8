#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/fetch.h"
#include "core/settlement.h"
#include "sluice/v1/consumer.pb.h"

// What callers of Fetch and Settle say, checked against the limits of the contract, in core's words; see requests.h.
namespace sluice::rpc {

inline constexpr int kMaxSettleTokens = 4096;  // in one Settle
inline constexpr absl::Duration kMaxFetchLease = absl::Hours(24);

absl::StatusOr<core::FetchRequest> ReadFetch(const v1::FetchRequest& request);
// The verdict; it views the request.
absl::StatusOr<core::Settlement> ReadSettleRequest(const v1::SettleRequest& request);

}  // namespace sluice::rpc
