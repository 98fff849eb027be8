#include "jetstream/stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "jetstream/api_reply.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

absl::Status Judge(const absl::StatusOr<absl::string_view>& text, absl::string_view what) {
  const auto about = [what](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
  };
  if (!text.ok()) return about(text.status());
  const absl::StatusOr<ApiReply> reply = ParseApiReply(*text);
  if (!reply.ok()) return about(reply.status());
  if (reply->code == 0) return absl::OkStatus();
  if (reply->err_code == kStreamNotFound) return absl::NotFoundError(absl::StrCat(what, ": there is none"));
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": ", reply->description, " (code ", reply->code, ", err_code ", reply->err_code, ")"));
}

}  // namespace

void CreateStream(Connection* connection, const Connection::Listener* owner, const StreamConfig& config,
                  StreamCallback done) {
  const json request = {{"name", config.name},
                        {"subjects", config.subjects},
                        {"retention", config.work_queue ? "workqueue" : "limits"},
                        {"storage", "file"},
                        {"duplicate_window", absl::ToInt64Nanoseconds(config.duplicate_window)}};
  const std::string subject = absl::StrCat(connection->api_prefix(), ".STREAM.CREATE.", config.name);
  connection->Request(owner, subject.c_str(), request.dump(), kStreamTimeout,
                      [what = absl::StrCat("creating stream ", config.name), done = std::move(done)](
                          const absl::StatusOr<absl::string_view>& reply) mutable { done(Judge(reply, what)); });
}

void DeleteStream(Connection* connection, const Connection::Listener* owner, const std::string& name,
                  StreamCallback done) {
  const std::string subject = absl::StrCat(connection->api_prefix(), ".STREAM.DELETE.", name);
  connection->Request(owner, subject.c_str(), "", kStreamTimeout,
                      [what = absl::StrCat("deleting stream ", name),
                       done = std::move(done)](const absl::StatusOr<absl::string_view>& reply) mutable {
                        const absl::Status status = Judge(reply, what);
                        done(absl::IsNotFound(status) ? absl::OkStatus() : status);
                      });
}

}  // namespace sluice::jetstream
