#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/consumer.h"
#include "core/delivery.h"
#include "core/delivery_token.h"
#include "core/fetched.h"

// The tokens of what Fetch returns: names of deliveries that hold on any connection, and that nobody can make up.
namespace sluice::rpc {

// `left`: what of its ack wait is left.
void SealToken(const core::TokenCodec& tokens, const core::Consumer& consumer, const core::Delivery& delivery,
               absl::Duration left, std::string* sealed);

// What a token names, as far as `consumer` may settle it. INVALID_ARGUMENT: it is no token; FAILED_PRECONDITION: one of
// another consumer, or of an earlier daemon process. The message is for the caller.
absl::StatusOr<core::SettleTarget> OpenToken(const core::TokenCodec& tokens, const core::Consumer& consumer,
                                             absl::string_view sealed);

}  // namespace sluice::rpc
