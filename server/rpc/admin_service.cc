#include "rpc/admin_service.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "rpc/convert.h"
#include "rpc/requests.h"
#include "rpc/unary_call.h"

namespace sluice::rpc {
namespace {

const char* PhaseName(core::Daemon::Phase phase) {
  switch (phase) {
    case core::Daemon::Phase::kServing:
      return "SERVING";
    case core::Daemon::Phase::kDraining:
      return "DRAINING";
    case core::Daemon::Phase::kDrained:
      return "DRAINED";
  }
  return "";
}

void FillNats(const NatsStatus& status, v1::Nats* out) {
  out->set_connected(status.connected);
  out->set_url(status.url);
  out->set_server_version(status.server_version);
  out->set_reconnects(status.reconnects);
  out->set_last_error(status.last_error);
}

}  // namespace

AdminService::AdminService(Options options, CallShared* shared)
    : options_(std::move(options)),
      shared_(shared),
      started_(absl::Now()),
      waiters_(std::make_shared<DrainWaiters>()) {}

void AdminService::Serve() {
  shared_->loop->Post([daemon = shared_->daemon, waiters = std::weak_ptr<DrainWaiters>(waiters_)] {
    daemon->WhenDrained([waiters](const core::Daemon::Report& report) {
      if (const std::shared_ptr<DrainWaiters> alive = waiters.lock()) alive->OnDrained(report);
    });
  });
  WaitDrainedCall::AskFor(this, shared_, waiters_.get());
  ServeMethod(shared_, this, &AdminService::RequestDrain, &AdminService::AnswerDrain);
  ServeMethod(shared_, this, &AdminService::RequestGetStatus, &AdminService::AnswerGetStatus);
}

absl::Status AdminService::AnswerDrain(const v1::DrainRequest& request, v1::DrainResponse* response) {
  const absl::StatusOr<std::optional<absl::Duration>> timeout = ReadDrainTimeout(request, "timeout");
  if (!timeout.ok()) return timeout.status();
  const bool started = shared_->daemon->Drain(timeout->value_or(options_.drain_timeout));
  response->set_already_draining(!started);
  *response->mutable_deadline() = ToProto(shared_->daemon->drain_deadline());
  return absl::OkStatus();
}

absl::Status AdminService::AnswerGetStatus(const v1::GetStatusRequest&, v1::Status* response) {
  const core::Daemon& daemon = *shared_->daemon;
  response->set_version(options_.version);
  *response->mutable_started() = ToProto(started_);
  response->set_phase(PhaseName(daemon.phase()));
  if (options_.nats_status) FillNats(options_.nats_status(), response->mutable_nats());
  for (const auto& consumer : daemon.consumers()) ToProto(*consumer, response->add_consumers());
  if (daemon.phase() == core::Daemon::Phase::kDraining) {
    *response->mutable_drain_deadline() = ToProto(daemon.drain_deadline());
  }
  return absl::OkStatus();
}

}  // namespace sluice::rpc
