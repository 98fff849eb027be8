#include "rpc/health_watch.h"

#include "rpc/convert.h"

namespace sluice::rpc {

void HealthWatch::AskFor(HealthService* service, CallShared* shared) {
  auto* watch = new HealthWatch(service, shared);  // deletes itself
  service->RequestWatch(watch->context(), &watch->request_, &watch->writer_, watch->queue(), watch->queue(),
                        watch->arrival());
}

void HealthWatch::Begin() {
  service_->Add(this);
  Tell();
}

void HealthWatch::Tell() {
  const HealthService::Response::ServingStatus status = service_->StatusOf(request_.service());
  if (ended_ || writing_ || status == told_.status()) return;
  told_.set_status(status);
  writing_ = true;
  writer_.Write(told_, Starting(&written_));
}

void HealthWatch::OnWritten(bool) {
  writing_ = false;
  if (ended_) {
    FinishCall();
  } else {
    Tell();
  }
  Completed();
}

void HealthWatch::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  status_ = ToGrpc(status);
  if (!writing_) FinishCall();
}

void HealthWatch::FinishCall() { writer_.Finish(status_, Finishing()); }

}  // namespace sluice::rpc
