#include "rpc/consume_stream.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/log.h"
#include "grpc/grpc.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "rpc/consumer_service.h"
#include "rpc/convert.h"
#include "rpc/frame.h"
#include "rpc/requests.h"

namespace sluice::rpc {

void ConsumeStream::AskFor(ConsumerService* service, CallShared* shared) {
  auto* stream = new ConsumeStream(service, shared);  // deletes itself
  service->RequestConsume(stream->context(), &stream->call_, stream->queue(), stream->queue(), stream->arrival());
}

ConsumeStream::ConsumeStream(ConsumerService* service, CallShared* shared)
    : ServerCall(shared), service_(service), call_(context()) {}

void ConsumeStream::AskForNext() { AskFor(service_, shared()); }

void ConsumeStream::OnRead(bool ok) {
  Read read = Read::kEnd;
  if (ok) {
    read = grpc::SerializationTraits<v1::ConsumeRequest>::Deserialize(&incoming_, &request_).ok() ? Read::kRequest
                                                                                                  : Read::kRubbish;
    incoming_.Clear();
  } else if (grpc_call_failed_before_recv_message(context()->c_call()) != 0) {
    read = Read::kGone;  // no half-close: the call broke off, which OnGone() may be told later
  }
  HandleRead(read);
  Completed();
}

void ConsumeStream::OnWritten(bool ok) {
  HandleWrite(ok);
  Completed();
}

void ConsumeStream::Deliver(absl::Span<const core::Delivery* const> batch) {
  SLUICE_CHECK(writable(), "core delivers only while the stream is writable");
  WriteFrame(batch, &outgoing_);
  WriteOutgoing();
}

void ConsumeStream::Tell(core::Notice notice) {
  if (gone_) return;
  const bool replaces = !notices_.empty() && std::holds_alternative<core::StateNotice>(notice) &&
                        std::holds_alternative<core::StateNotice>(notices_.back());
  if (replaces) notices_.pop_back();
  notices_.push_back(std::move(notice));
  WriteNext();
}

void ConsumeStream::Finish(absl::Status status) {
  session_ = nullptr;
  ChangePhase(Phase::kEnding);
  status_ = ToGrpc(status);
  WriteNext();
}

void ConsumeStream::ChangePhase(Phase to) {
  SLUICE_CHECK(to > phase_, "a stream's phases only go forward");
  phase_ = to;
}

void ConsumeStream::ReadNext() {
  const bool wanted = phase_ == Phase::kAwaitingOpen || phase_ == Phase::kOpen;
  if (!wanted || reading_ || notices_.size() >= kMaxNotices) return;
  reading_ = true;
  call_.Read(&incoming_, Starting(&read_));
}

void ConsumeStream::HandleRead(Read read) {
  reading_ = false;
  if (phase_ != Phase::kAwaitingOpen && phase_ != Phase::kOpen) return;
  if (read == Read::kGone) return OnGone();
  if (read == Read::kEnd) return HandleEndOfRequests();

  const absl::Status status =
      read == Read::kRequest ? Apply() : absl::InvalidArgumentError("the request is not a sluice.v1.ConsumeRequest");
  request_.Clear();
  if (!status.ok()) {
    base::LogWarning("an app's request was refused, its stream ends",
                     {{"peer", context()->peer()}, {"err", status.ToString()}});
    return End(status);
  }
  ReadNext();
}

absl::Status ConsumeStream::Apply() {
  if (request_.kind_case() == v1::ConsumeRequest::KIND_NOT_SET) {
    return absl::InvalidArgumentError("the request is empty; set open, settle, credit or drain");
  }
  if (phase_ == Phase::kAwaitingOpen) return ApplyOpen();
  return ApplyInSession();
}

absl::Status ConsumeStream::ApplyOpen() {
  if (!request_.has_open()) return absl::InvalidArgumentError("open: the first request must be open");
  const absl::StatusOr<core::OpenRequest> request = ReadOpen(request_.open());
  if (!request.ok()) return request.status();

  const absl::StatusOr<core::Session*> session = shared()->daemon->Open(*request, this);
  if (!session.ok()) return session.status();
  ChangePhase(Phase::kOpen);
  session_ = *session;
  return absl::OkStatus();
}

absl::Status ConsumeStream::ApplyInSession() {
  switch (request_.kind_case()) {
    case v1::ConsumeRequest::kSettle: {
      absl::Status status = ReadSettle(request_.settle(), &runs_);
      if (status.ok()) session_->OnSettle(runs_);
      return status;
    }
    case v1::ConsumeRequest::kCredit: {
      const absl::StatusOr<core::Credit> credit = ReadCredit(request_.credit(), "credit");
      if (credit.ok()) session_->OnCredit(*credit);
      return credit.status();
    }
    case v1::ConsumeRequest::kDrain: {
      const absl::StatusOr<std::optional<absl::Duration>> timeout = ReadDrainTimeout(request_.drain(), "drain.timeout");
      if (timeout.ok()) session_->OnDrain(*timeout);
      return timeout.status();
    }
    default:
      return absl::InvalidArgumentError("open: the stream is open already; use one stream for each open");
  }
}

void ConsumeStream::HandleEndOfRequests() {
  if (phase_ == Phase::kAwaitingOpen) return End(absl::InvalidArgumentError("open: missing; the stream ended without"));
  ChangePhase(Phase::kClosing);
  std::exchange(session_, nullptr)->OnHalfClosed();
}

void ConsumeStream::Write(const v1::ConsumeResponse& response) {
  bool own_buffer;
  const grpc::Status status =
      grpc::SerializationTraits<v1::ConsumeResponse>::Serialize(response, &outgoing_, &own_buffer);
  SLUICE_CHECK(status.ok(), "a response is far below the 2 GiB that gRPC can carry");
  WriteOutgoing();
}

void ConsumeStream::WriteOutgoing() {
  writing_ = true;
  call_.Write(outgoing_, Starting(&written_));
}

void ConsumeStream::HandleWrite(bool ok) {
  writing_ = false;
  outgoing_.Clear();
  if (!ok) return OnGone();
  WriteNext();
  ReadNext();
  if (phase_ == Phase::kOpen && writable()) session_->OnWritable();
}

void ConsumeStream::WriteNext() {
  if (writing_) return;
  if (notices_.empty()) {
    if (phase_ == Phase::kEnding) FinishCall();
    return;
  }
  v1::ConsumeResponse response;
  ToProto(notices_.front(), shared()->server, &response);
  notices_.pop_front();
  Write(response);
}

void ConsumeStream::OnGone() {
  gone_ = true;
  notices_.clear();
  End(absl::CancelledError("the app is gone"));
  if (phase_ == Phase::kEnding) WriteNext();
}

void ConsumeStream::End(const absl::Status& status) {
  // From CLOSING on core or gRPC has the next word.
  if (phase_ != Phase::kAwaitingOpen && phase_ != Phase::kOpen) return;
  if (session_ != nullptr) std::exchange(session_, nullptr)->OnBroken();
  Finish(status);
}

void ConsumeStream::FinishCall() {
  ChangePhase(Phase::kFinished);
  call_.Finish(status_, Finishing());
}

}  // namespace sluice::rpc
