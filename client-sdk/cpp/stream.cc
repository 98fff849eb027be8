#include "client-sdk/cpp/stream.h"

#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {

Stream::Stream(std::shared_ptr<Session> session, v1::ConsumerService::Stub* stub)
    : session_(std::move(session)), stub_(stub) {}

void Stream::Start() {
  stub_->async()->Consume(&context_, this);
  AddHold();
  Read();
  StartCall();
}

void Stream::Perform(Outbox::Step step, const v1::ConsumeRequest& request) {
  if (step == Outbox::Step::kWrite) StartWrite(&request);
  if (step == Outbox::Step::kWritesDone) StartWritesDone();
}

void Stream::Read() {
  frame_ = std::make_shared<Frame>(session_);
  StartRead(frame_->response);
}

void Stream::OnReadDone(bool ok) {
  if (!ok) return session_->OnReadsOver();
  if (!frame_->response->has_deliveries()) return session_->OnNotice(std::move(frame_));
  session_->OnDeliveries(std::move(frame_));
  Read();
}

void Stream::OnWriteDone(bool ok) { session_->OnWritten(ok); }

void Stream::OnWritesDoneDone(bool ok) { session_->OnWritten(ok); }

void Stream::OnDone(const grpc::Status& status) {
  const std::shared_ptr<Session> session = session_;  // this may be destroyed before the call has returned
  session->OnDone(status);
}

}  // namespace sluice::internal
