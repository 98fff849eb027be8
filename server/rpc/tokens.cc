#include "rpc/tokens.h"

#include "absl/strings/str_cat.h"

namespace sluice::rpc {

void SealToken(const core::TokenCodec& tokens, const core::Consumer& consumer, const core::Delivery& delivery,
               std::string* sealed) {
  const core::Message& message = delivery.message;
  core::DeliveryToken token;
  token.stream = consumer.options().stream;
  token.durable = consumer.options().durable;
  token.instance = tokens.instance();
  token.id = delivery.id;
  token.reply = std::string(message.reply);
  token.stream_sequence = message.stream_sequence;
  token.consumer_sequence = message.consumer_sequence;
  token.num_delivered = message.num_delivered;
  token.num_pending = message.num_pending;
  token.timestamp_ns = message.timestamp_ns;
  token.ack_deadline = delivery.ack_deadline;
  token.consumer_created_ns = delivery.consumer_created_ns;
  token.bytes = delivery.bytes;
  tokens.Seal(token, sealed);
}

absl::StatusOr<core::SettleTarget> OpenToken(const core::TokenCodec& tokens, const core::Consumer& consumer,
                                             absl::string_view sealed) {
  const absl::StatusOr<core::DeliveryToken> token = tokens.Open(sealed);
  if (!token.ok()) return token.status();
  if (token->stream != consumer.options().stream || token->durable != consumer.options().durable) {
    return absl::FailedPreconditionError(absl::StrCat("the token is of stream '", token->stream, "', durable '",
                                                      token->durable, "'; settle it with the consumer it came from"));
  }
  if (token->instance == tokens.instance()) return core::SettleTarget{token->id, ""};
  if (absl::Status status = consumer.CheckToken(*token); !status.ok()) return status;
  return core::SettleTarget{0, token->reply};
}

}  // namespace sluice::rpc
