#include "test/support/nats_admin.h"

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nats/nats.h"

namespace sluice::test {
namespace {

using nlohmann::json;

constexpr int64_t kRequestTimeoutMs = 5000;
constexpr absl::Duration kReadyTimeout = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr int kWindow = 1000;  // messages published before one that is acknowledged

absl::Status ToStatus(natsStatus status) {
  return status == NATS_OK ? absl::OkStatus() : absl::UnavailableError(natsStatus_GetText(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<JetStreamAdmin>> JetStreamAdmin::Connect(const std::string& url,
                                                                        Credentials credentials) {
  natsOptions* options = nullptr;
  natsOptions_Create(&options);
  const auto destroy = absl::MakeCleanup([options] { natsOptions_Destroy(options); });
  natsOptions_SetURL(options, url.c_str());
  natsOptions_SetMaxReconnect(options, -1);
  natsOptions_SetReconnectWait(options, 50);
  if (!credentials.user.empty()) {
    natsOptions_SetUserInfo(options, credentials.user.c_str(), credentials.password.c_str());
  }
  natsConnection* nats = nullptr;
  if (absl::Status status = ToStatus(natsConnection_Connect(&nats, options)); !status.ok()) return status;
  auto admin = std::unique_ptr<JetStreamAdmin>(new JetStreamAdmin(nats));

  const absl::Time deadline = absl::Now() + kReadyTimeout;
  absl::StatusOr<json> info = admin->Api("INFO");
  while (!info.ok() && absl::Now() < deadline) {
    absl::SleepFor(kPoll);
    info = admin->Api("INFO");
  }
  if (!info.ok()) return info.status();
  return admin;
}

JetStreamAdmin::~JetStreamAdmin() { natsConnection_Destroy(nats_); }

absl::StatusOr<json> JetStreamAdmin::Request(const std::string& subject, absl::string_view payload) {
  natsMsg* reply = nullptr;
  const natsStatus status = natsConnection_Request(&reply, nats_, subject.c_str(), payload.data(),
                                                   static_cast<int>(payload.size()), kRequestTimeoutMs);
  if (status != NATS_OK) return absl::UnavailableError(absl::StrCat(subject, ": ", natsStatus_GetText(status)));
  const auto destroy = absl::MakeCleanup([reply] { natsMsg_Destroy(reply); });
  const char* data = natsMsg_GetData(reply);
  json body = json::parse(data, data + natsMsg_GetDataLength(reply), nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) return absl::InternalError(absl::StrCat(subject, ": not a JSON object"));
  if (body.contains("error")) return absl::FailedPreconditionError(absl::StrCat(subject, ": ", body["error"].dump()));
  return body;
}

absl::StatusOr<json> JetStreamAdmin::Api(const std::string& what, const json& request) {
  return Request(absl::StrCat("$JS.API.", what), request.is_null() ? std::string() : request.dump());
}

absl::Status JetStreamAdmin::CreateStream(const std::string& name, const std::vector<std::string>& subjects,
                                          const json& more) {
  json config = {{"name", name}, {"subjects", subjects}, {"storage", "file"}, {"retention", "limits"}};
  config.update(more);
  // A cluster may need a moment more to place replicas than to answer.
  const absl::Time deadline = absl::Now() + kReadyTimeout;
  absl::Status status = Api(absl::StrCat("STREAM.CREATE.", name), config).status();
  while (!status.ok() && absl::Now() < deadline) {
    absl::SleepFor(kPoll);
    status = Api(absl::StrCat("STREAM.CREATE.", name), config).status();
  }
  return status;
}

absl::Status JetStreamAdmin::DeleteStream(const std::string& name) {
  return Api(absl::StrCat("STREAM.DELETE.", name)).status();
}

absl::Status JetStreamAdmin::CreateConsumer(const std::string& stream, const std::string& durable, const json& more) {
  json config = {{"durable_name", durable}, {"name", durable}, {"ack_policy", "explicit"}, {"deliver_policy", "all"}};
  config.update(more);
  return Api(absl::StrCat("CONSUMER.CREATE.", stream, ".", durable), {{"stream_name", stream}, {"config", config}})
      .status();
}

absl::Status JetStreamAdmin::DeleteConsumer(const std::string& stream, const std::string& durable) {
  return Api(absl::StrCat("CONSUMER.DELETE.", stream, ".", durable)).status();
}

absl::StatusOr<json> JetStreamAdmin::ConsumerInfo(const std::string& stream, const std::string& durable) {
  return Api(absl::StrCat("CONSUMER.INFO.", stream, ".", durable));
}

absl::StatusOr<json> JetStreamAdmin::StreamInfo(const std::string& stream) {
  return Api(absl::StrCat("STREAM.INFO.", stream));
}

absl::StatusOr<uint64_t> JetStreamAdmin::Publish(const std::string& subject, absl::string_view data) {
  absl::StatusOr<json> ack = Request(subject, data);
  if (!ack.ok()) return ack.status();
  return ack->value("seq", uint64_t{0});
}

absl::Status JetStreamAdmin::PublishNumbers(const std::string& subject, int count, int first) {
  for (int i = 0; i < count; ++i) {
    const std::string data = absl::StrCat(first + i);
    const bool await = i == count - 1 || i % kWindow == kWindow - 1;
    const absl::Status status =
        await ? Publish(subject, data).status()
              : ToStatus(natsConnection_Publish(nats_, subject.c_str(), data.data(), static_cast<int>(data.size())));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace sluice::test
