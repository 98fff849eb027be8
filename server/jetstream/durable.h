#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/durable_config.h"
#include "core/message_source.h"
#include "jetstream/api_reply.h"
#include "jetstream/connection.h"

namespace sluice::jetstream {

// One durable consumer as JetStream's API sees it: its info, and, as configured, its creation, update and verification.
// Owned by JetStreamSource. Loop only.
class Durable {
 public:
  using Callback = absl::AnyInvocable<void(const absl::StatusOr<core::ConsumerInfo>& info)>;

  static constexpr absl::Duration kAttachTimeout = absl::Seconds(5);
  static constexpr absl::Duration kInfoTimeout = absl::Seconds(2);

  // `owner` is whose requests they are on the connection; both outlive it.
  Durable(Connection* connection, const Connection::Listener* owner, base::Timers* timers, std::string stream,
          std::string durable, core::Manage manage, core::DurableConfig config);

  // Makes or finds it as configured. One at a time. Statuses are those of MessageSource::Listener::OnAttached().
  void Attach(Callback callback);
  void Info(Callback callback);

 private:
  using ReplyHandler = absl::AnyInvocable<void(const absl::StatusOr<ApiReply>& reply)>;

  void Ask(const std::string& subject, absl::string_view payload, absl::Duration timeout, ReplyHandler handler);
  void LookUp();
  void OnLookedUp(const absl::StatusOr<ApiReply>& reply);
  void OnFound(const nlohmann::json& body);
  void Write(absl::string_view action, nlohmann::json config, bool created);
  void OnWritten(const absl::StatusOr<ApiReply>& reply, bool created);
  void Finish(const absl::StatusOr<core::ConsumerInfo>& info);

  absl::Status Check(const nlohmann::json& config, bool created, bool written) const;
  absl::Status About(const absl::Status& status) const;
  core::ConsumerInfo Parse(const nlohmann::json& body) const;
  absl::Duration TimeLeft() const { return attach_deadline_ - timers_->now(); }

  Connection* const connection_;
  const Connection::Listener* const owner_;
  base::Timers* const timers_;
  const std::string stream_;
  const std::string durable_;
  const core::Manage manage_;
  const core::DurableConfig config_;
  const std::string info_subject_;
  const std::string create_subject_;

  Callback attached_;  // null: no Attach() is under way
  absl::Time attach_deadline_;
  int rounds_ = 0;
};

}  // namespace sluice::jetstream
