#include "client-sdk/cpp/stream.h"

#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {
namespace {

constexpr char kConsume[] = "/sluice.v1.ConsumerService/Consume";

}  // namespace

Stream::Stream(std::shared_ptr<Session> session, ConsumeStub* stub, Poller* poller) : session_(std::move(session)) {
  context_.set_initial_metadata_corked(true);  // else a write would have to wait for its own operation
  call_ = stub->PrepareCall(&context_, kConsume, poller->queue());
}

void Stream::Start() {
  call_->StartCall(nullptr);  // no operation yet, so no tag either
  Read();
}

void Stream::Perform(Outbox::Step step, const v1::ConsumeRequest& request) {
  if (step == Outbox::Step::kWrite) call_->Write(request, &write_tag_);
  if (step == Outbox::Step::kWritesDone) call_->WritesDone(&write_tag_);
}

void Stream::Read() { call_->Read(&response_, &read_tag_); }

void Stream::Release() { call_->Finish(&status_, &finish_tag_); }

void Stream::OnRead(bool ok) {
  if (!ok) return session_->OnReadsOver();
  auto frame = std::make_shared<Frame>(session_);
  const ResponseKind kind = frame->Read(response_);
  response_.Clear();
  if (kind == ResponseKind::kDeliveries) {
    session_->OnDeliveries(std::move(frame));
    return Read();
  }
  auto notice = std::make_unique<v1::ConsumeResponse>();
  const std::string_view bytes = frame->bytes();
  if (kind == ResponseKind::kNotice && notice->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return session_->OnNotice(std::move(notice));
  }
  malformed_ = {grpc::StatusCode::INTERNAL,
                "the daemon sent " + std::to_string(bytes.size()) + " bytes that are no sluice.v1.ConsumeResponse"};
  context_.TryCancel();
  session_->OnReadsOver();
}

void Stream::OnWritten(bool ok) { session_->OnWritten(ok); }

void Stream::OnFinished(bool) {
  const std::shared_ptr<Session> session = session_;  // this may be destroyed before the call has returned
  session->OnDone(malformed_.ok() ? grpc::Status(status_) : grpc::Status(malformed_));
}

}  // namespace sluice::internal
