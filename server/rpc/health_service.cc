#include "rpc/health_service.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "rpc/health_watch.h"
#include "rpc/unary_call.h"
#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::rpc {

HealthService::~HealthService() { SLUICE_CHECK(watches_.empty(), "a server outlives its calls"); }

void HealthService::Serve() {
  ServeMethod(shared_, this, &HealthService::RequestCheck, &HealthService::AnswerCheck);
  HealthWatch::AskFor(this, shared_);
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  for (HealthWatch* watch : watches_) watch->Tell();
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& service) const {
  if (!service.empty() && service != v1::ConsumerService::service_full_name()) return Response::SERVICE_UNKNOWN;
  return serving_ ? Response::SERVING : Response::NOT_SERVING;
}

absl::Status HealthService::AnswerCheck(const Request& request, Response* response) {
  const Response::ServingStatus status = StatusOf(request.service());
  if (status == Response::SERVICE_UNKNOWN) {
    return absl::NotFoundError(absl::StrCat("no health is known of '", request.service(), "'; ask for '' or '",
                                            v1::ConsumerService::service_full_name(), "'"));
  }
  response->set_status(status);
  return absl::OkStatus();
}

}  // namespace sluice::rpc
