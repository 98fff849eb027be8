#include "jetstream/durable.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "jetstream/consumer_config.h"
#include "jetstream/pinned_client.h"

namespace sluice::jetstream {
namespace {

using core::ConsumerInfo;
using core::Manage;
using nlohmann::json;

// Pods of a fleet start together: between one's look-up and its creation another one may have created or deleted it.
constexpr int kMostRounds = 3;

std::string CreateSubject(absl::string_view prefix, absl::string_view stream, absl::string_view durable,
                          const core::DurableConfig& config) {
  std::string subject = absl::StrCat(prefix, ".CONSUMER.CREATE.", stream, ".", durable);
  // A single filter may be part of the subject, and so of what an account is permitted; several must not.
  if (config.filter_subjects.size() == 1) absl::StrAppend(&subject, ".", config.filter_subjects.front());
  return subject;
}

}  // namespace

Durable::Durable(Connection* connection, const Connection::Listener* owner, base::Timers* timers, std::string stream,
                 std::string durable, Manage manage, core::DurableConfig config)
    : connection_(connection),
      owner_(owner),
      timers_(timers),
      stream_(std::move(stream)),
      durable_(std::move(durable)),
      manage_(manage),
      config_(std::move(config)),
      info_subject_(absl::StrCat(connection->api_prefix(), ".CONSUMER.INFO.", stream_, ".", durable_)),
      create_subject_(CreateSubject(connection->api_prefix(), stream_, durable_, config_)) {}

void Durable::Info(Callback callback) {
  Ask(info_subject_, "", kInfoTimeout,
      [this, callback = std::move(callback)](const absl::StatusOr<ApiReply>& reply) mutable {
        if (!reply.ok()) return callback(reply.status());
        callback(Parse(reply->body));
      });
}

void Durable::Attach(Callback callback) {
  attached_ = std::move(callback);
  attach_deadline_ = timers_->now() + kAttachTimeout;
  rounds_ = 0;
  LookUp();
}

void Durable::LookUp() {
  ++rounds_;
  Ask(info_subject_, "", TimeLeft(), [this](const absl::StatusOr<ApiReply>& reply) { OnLookedUp(reply); });
}

void Durable::OnLookedUp(const absl::StatusOr<ApiReply>& reply) {
  if (reply.ok()) return OnFound(reply->body);
  const bool missing = absl::IsNotFound(reply.status());
  if (!missing || manage_ != Manage::kEnsure) return Finish(reply.status());
  // The stream may be what is missing; then this says so.
  Write("create", NewConsumerConfig(durable_, config_), /*created=*/true);
}

void Durable::OnFound(const json& body) {
  const json config = body.value("config", json::object());
  const absl::Status checked = Check(config, /*created=*/false, /*written=*/false);
  if (checked.ok()) return Finish(Parse(body));
  const bool may_update = manage_ == Manage::kEnsure && CheckServable(config, config_).ok();
  if (!may_update) return Finish(About(checked));
  base::LogInfo("updating the consumer", {{"stream", stream_}, {"consumer", durable_}, {"why", checked.message()}});
  Write("update", UpdatedConsumerConfig(config, config_), /*created=*/false);
}

void Durable::Write(absl::string_view action, json config, bool created) {
  const json request = {{"stream_name", stream_}, {"config", std::move(config)}, {"action", std::string(action)}};
  const std::string payload = request.dump(-1, ' ', false, json::error_handler_t::replace);
  Ask(create_subject_, payload, TimeLeft(),
      [this, created](const absl::StatusOr<ApiReply>& reply) { OnWritten(reply, created); });
}

void Durable::OnWritten(const absl::StatusOr<ApiReply>& reply, bool created) {
  if (absl::IsAborted(reply.status()) && rounds_ < kMostRounds) return LookUp();
  if (!reply.ok()) return Finish(reply.status());
  const absl::Status checked = Check(reply->body.value("config", json::object()), created, /*written=*/true);
  if (!checked.ok()) return Finish(About(checked));
  if (created) base::LogInfo("created the consumer", {{"stream", stream_}, {"consumer", durable_}});
  absl::StatusOr<ConsumerInfo> info = Parse(reply->body);
  if (info.ok()) info->created = created;
  Finish(info);
}

void Durable::Finish(const absl::StatusOr<ConsumerInfo>& info) {
  Callback attached = std::exchange(attached_, nullptr);
  if (attached != nullptr) attached(info);
}

void Durable::Ask(const std::string& subject, absl::string_view payload, absl::Duration timeout, ReplyHandler handler) {
  connection_->Request(owner_, subject.c_str(), payload, timeout,
                       [this, handler = std::move(handler)](const absl::StatusOr<absl::string_view>& text) mutable {
                         if (!text.ok()) return handler(About(text.status()));
                         const absl::StatusOr<ApiReply> reply = ParseApiReply(*text);
                         if (!reply.ok()) return handler(About(reply.status()));
                         if (reply->code != 0) return handler(ApiStatus(*reply, stream_, durable_));
                         handler(reply);
                       });
}

// What was fixed at the creation of a managed consumer cannot be changed by it, and is no reason not to use it.
absl::Status Durable::Check(const json& config, bool created, bool written) const {
  if (absl::Status status = CheckServable(config, config_); !status.ok()) return status;
  if (absl::Status status = CheckPinnedClient(config, config_, written); !status.ok()) return status;
  if (manage_ == Manage::kOff) return absl::OkStatus();
  const bool all = created || manage_ == Manage::kVerify;
  return VerifyConsumerConfig(config, config_, all ? Fields::kAll : Fields::kMutable);
}

absl::Status Durable::About(const absl::Status& status) const {
  return absl::Status(status.code(),
                      absl::StrCat("consumer ", durable_, " of stream ", stream_, ": ", status.message()));
}

ConsumerInfo Durable::Parse(const json& body) const {
  ConsumerInfo info = ParseConsumerInfo(body, timers_->now());
  info.term_reason = info.term_reason && !connection_->refuses_term_reason();
  info.tells_expiry = info.term_reason;  // 2.10.27 and 2.15.2 do; which one was the first was not looked into
  return info;
}

}  // namespace sluice::jetstream
