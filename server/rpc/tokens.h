#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/consumer.h"
#include "core/delivery_token.h"
#include "core/fetched.h"

// The tokens that Settle brings: names of deliveries that hold on any connection, and that nobody can make up.
namespace sluice::rpc {

// What a token names, as far as `consumer` may settle it: of an earlier daemon process only an ACK is forwarded. An
// error: it is no token, of another consumer, or of one that was made anew; the message is for the caller.
absl::StatusOr<core::SettleTarget> OpenToken(const core::TokenCodec& tokens, const core::Consumer& consumer,
                                             absl::string_view sealed);

}  // namespace sluice::rpc
