#include "rpc/admin_service.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "rpc/convert.h"
#include "rpc/requests.h"

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

AdminService::AdminService(Options options, base::EventLoop* loop, core::Daemon* daemon, OpenCalls* calls)
    : options_(std::move(options)),
      loop_(loop),
      daemon_(daemon),
      calls_(calls),
      started_(absl::Now()),
      waiters_(std::make_shared<DrainWaiters>()) {}

void AdminService::Start() {
  daemon_->WhenDrained([waiters = std::weak_ptr<DrainWaiters>(waiters_)](const core::Daemon::Report& report) {
    if (const std::shared_ptr<DrainWaiters> alive = waiters.lock()) alive->OnDrained(report);
  });
}

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext* context, const v1::DrainRequest* request,
                                              v1::DrainResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  loop_->Post([this, reactor, request, response] { reactor->Finish(HandleDrain(*request, response)); });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::WaitDrained(grpc::CallbackServerContext*, const v1::WaitDrainedRequest*,
                                                    v1::WaitDrainedResponse* response) {
  return WaitDrainedCall::Start({loop_, daemon_, calls_, waiters_.get()}, response);
}

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest*,
                                                  v1::Status* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  loop_->Post([this, reactor, response] {
    FillStatus(response);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::Status AdminService::HandleDrain(const v1::DrainRequest& request, v1::DrainResponse* response) {
  const absl::StatusOr<std::optional<absl::Duration>> timeout = ReadDrainTimeout(request, "timeout");
  if (!timeout.ok()) return ToGrpc(timeout.status());
  const bool started = daemon_->Drain(timeout->value_or(options_.drain_timeout));
  response->set_already_draining(!started);
  *response->mutable_deadline() = ToProto(daemon_->drain_deadline());
  return grpc::Status::OK;
}

void AdminService::FillStatus(v1::Status* response) {
  response->set_version(options_.version);
  *response->mutable_started() = ToProto(started_);
  response->set_phase(PhaseName(daemon_->phase()));
  if (options_.nats_status) FillNats(options_.nats_status(), response->mutable_nats());
  for (const auto& consumer : daemon_->consumers()) ToProto(*consumer, response->add_consumers());
  if (daemon_->phase() == core::Daemon::Phase::kDraining) {
    *response->mutable_drain_deadline() = ToProto(daemon_->drain_deadline());
  }
}

}  // namespace sluice::rpc
