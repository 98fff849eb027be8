#include "jetstream/api_reply.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

int IntAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int>() : 0;
}

std::string TextAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

absl::StatusOr<ApiReply> ParseApiReply(absl::string_view text) {
  ApiReply reply;
  reply.body = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!reply.body.is_object()) {
    return absl::InternalError("JetStream's answer is not a JSON object; is something else serving its API subjects?");
  }
  const auto error = reply.body.find("error");
  if (error == reply.body.end() || !error->is_object()) return reply;
  reply.code = IntAt(*error, "code");
  if (reply.code == 0) reply.code = 500;
  reply.err_code = IntAt(*error, "err_code");
  reply.description = TextAt(*error, "description");
  return reply;
}

absl::Status ApiStatus(const ApiReply& reply, absl::string_view stream, absl::string_view consumer) {
  if (reply.err_code == kStreamNotFound) {
    return absl::NotFoundError(absl::StrCat("stream ", stream, " does not exist; create it (nats stream add ", stream,
                                            ") or correct the configuration"));
  }
  if (reply.err_code == kConsumerNotFound) {
    return absl::NotFoundError(absl::StrCat("consumer ", consumer, " does not exist on stream ", stream,
                                            "; create it, or let Sluice do so with manage: ensure"));
  }
  const std::string told = absl::StrCat("JetStream refused consumer ", consumer, " of stream ", stream, ": ",
                                        reply.description, " (code ", reply.code, ", err_code ", reply.err_code, ")");
  const bool raced = reply.err_code == kConsumerExists || reply.err_code == kConsumerDoesNotExist;
  if (raced) return absl::AbortedError(told);
  const bool refused = reply.err_code == kConsumerCreateFailed;  // a 500, but of the configuration
  if (reply.code >= 500 && !refused) return absl::UnavailableError(told);
  return absl::FailedPreconditionError(told);
}

}  // namespace sluice::jetstream
