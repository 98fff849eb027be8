#include "rpc/tokens.h"

#include "absl/strings/str_cat.h"

namespace sluice::rpc {

absl::StatusOr<core::SettleTarget> OpenToken(const core::TokenCodec& tokens, const core::Consumer& consumer,
                                             absl::string_view sealed) {
  const absl::StatusOr<core::DeliveryToken> token = tokens.Open(sealed);
  if (!token.ok()) return token.status();
  if (token->stream != consumer.options().stream || token->durable != consumer.options().durable) {
    return absl::FailedPreconditionError(absl::StrCat("the token is of stream '", token->stream, "', durable '",
                                                      token->durable, "'; settle it with the consumer it came from"));
  }
  if (token->instance == tokens.instance()) return core::SettleTarget{token->id};
  if (absl::Status status = consumer.CheckToken(*token); !status.ok()) return status;
  return core::SettleTarget{0, core::GoneDelivery(*token)};
}

}  // namespace sluice::rpc
