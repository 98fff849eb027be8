#include "jetstream/stored_message.h"

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "jetstream/api_reply.h"
#include "jetstream/header_block.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

// What the message's views point into.
struct Content {
  std::string subject;
  std::string header_block;
  std::string data;
};

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("JetStream's stored message has no ", what));
}

bool Decode(const json& object, const char* key, std::string* decoded) {
  const auto it = object.find(key);
  if (it == object.end()) return true;
  return it->is_string() && absl::Base64Unescape(it->get_ref<const std::string&>(), decoded);
}

}  // namespace

absl::StatusOr<core::Message> ParseStoredMessage(absl::string_view text) {
  const absl::StatusOr<ApiReply> reply = ParseApiReply(text);
  if (!reply.ok()) return reply.status();
  if (reply->code != 0) {
    const std::string told =
        absl::StrCat(reply->description, " (code ", reply->code, ", err_code ", reply->err_code, ")");
    return reply->err_code == kMessageNotFound ? absl::NotFoundError(told) : absl::UnavailableError(told);
  }
  const auto found = reply->body.find("message");
  if (found == reply->body.end() || !found->is_object()) return Malformed("content");
  const json& stored = *found;
  auto content = std::make_unique<Content>();
  const auto subject = stored.find("subject");
  if (subject == stored.end() || !subject->is_string()) return Malformed("subject");
  content->subject = subject->get<std::string>();
  if (!Decode(stored, "hdrs", &content->header_block)) return Malformed("readable headers");
  if (!Decode(stored, "data", &content->data)) return Malformed("readable data");
  const auto sequence = stored.find("seq");
  if (sequence == stored.end() || !sequence->is_number_unsigned()) return Malformed("sequence");
  const auto time = stored.find("time");
  absl::Time stored_at;
  if (time == stored.end() || !time->is_string() ||
      !absl::ParseTime(absl::RFC3339_full, time->get_ref<const std::string&>(), &stored_at, nullptr)) {
    return Malformed("time");
  }
  core::Message message;
  message.subject = content->subject;
  message.headers = ParseHeaders(content->header_block);
  message.data = content->data;
  message.stream_sequence = sequence->get<uint64_t>();
  message.timestamp_ns = absl::ToUnixNanos(stored_at);
  message.owner = {content.release(), [](void* owned) { delete static_cast<Content*>(owned); }};
  return message;
}

}  // namespace sluice::jetstream
