#include "jetstream/publish.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "jetstream/api_reply.h"

namespace sluice::jetstream {
namespace {

absl::Status About(const absl::Status& status, absl::string_view subject) {
  if (absl::StartsWith(status.message(), "no responders")) {
    return absl::UnavailableError(absl::StrCat("no stream holds the subject '", subject,
                                               "'; add it to one (nats stream add), or correct the configuration"));
  }
  return absl::Status(status.code(), absl::StrCat("publishing to '", subject, "': ", status.message()));
}

}  // namespace

absl::StatusOr<PubAck> ParsePubAck(absl::string_view text, absl::string_view subject) {
  const absl::StatusOr<ApiReply> reply = ParseApiReply(text);
  if (reply.ok() && reply->code != 0) {
    return absl::UnavailableError(absl::StrCat("the stream of '", subject, "' refused it: ", reply->description,
                                               " (code ", reply->code, ", err_code ", reply->err_code, ")"));
  }
  PubAck ack;
  if (reply.ok()) {
    const nlohmann::json& body = reply->body;
    if (const auto it = body.find("stream"); it != body.end() && it->is_string()) ack.stream = it->get<std::string>();
    if (const auto it = body.find("seq"); it != body.end() && it->is_number_unsigned()) {
      ack.sequence = it->get<uint64_t>();
    }
    if (const auto it = body.find("duplicate"); it != body.end() && it->is_boolean()) ack.duplicate = it->get<bool>();
  }
  if (!ack.stream.empty()) return ack;
  return absl::FailedPreconditionError(absl::StrCat("somebody who is not a stream answers on '", subject,
                                                    "'; choose a subject that nobody else serves"));
}

void PublishToStream(Connection* connection, const Connection::Listener* owner, const std::string& subject,
                     std::vector<std::pair<std::string, std::string>> headers, absl::string_view payload,
                     absl::Duration timeout, PubAckCallback done) {
  const size_t nameless = std::erase_if(headers, [](const auto& header) { return header.first.empty(); });
  if (nameless > 0) base::LogWarning("left out headers without a name", {{"subject", subject}, {"count", nameless}});
  connection->RequestWithHeaders(
      owner, subject.c_str(), headers, payload, timeout,
      [subject, done = std::move(done)](const absl::StatusOr<absl::string_view>& answer) mutable {
        if (!answer.ok()) return done(About(answer.status(), subject));
        done(ParsePubAck(*answer, subject));
      });
}

}  // namespace sluice::jetstream
