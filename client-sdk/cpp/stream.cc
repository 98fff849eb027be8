#include "client-sdk/cpp/stream.h"

#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {

Stream::Stream(std::shared_ptr<Session> session, v1::ConsumerService::Stub* stub, Poller* poller)
    : session_(std::move(session)) {
  context_.set_initial_metadata_corked(true);  // else a write would have to wait for its own operation
  call_ = stub->PrepareAsyncConsume(&context_, poller->queue());
}

void Stream::Start() {
  call_->StartCall(nullptr);  // no operation yet, so no tag either
  Read();
}

void Stream::Perform(Outbox::Step step, const v1::ConsumeRequest& request) {
  if (step == Outbox::Step::kWrite) call_->Write(request, &write_tag_);
  if (step == Outbox::Step::kWritesDone) call_->WritesDone(&write_tag_);
}

void Stream::Read() {
  frame_ = std::make_shared<Frame>(session_);
  call_->Read(frame_->response, &read_tag_);
}

void Stream::Release() { call_->Finish(&status_, &finish_tag_); }

void Stream::OnRead(bool ok) {
  if (!ok) return session_->OnReadsOver();
  if (!frame_->response->has_deliveries()) return session_->OnNotice(std::move(frame_));
  session_->OnDeliveries(std::move(frame_));
  Read();
}

void Stream::OnWritten(bool ok) { session_->OnWritten(ok); }

void Stream::OnFinished(bool) {
  const std::shared_ptr<Session> session = session_;  // this may be destroyed before the call has returned
  session->OnDone(grpc::Status(status_));
}

}  // namespace sluice::internal
