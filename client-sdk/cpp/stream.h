#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <memory>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/outbox.h"
#include "client-sdk/cpp/poller.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::internal {

// Responses stay bytes: deliveries are not made into generated messages.
using ConsumeStub = grpc::TemplatedGenericStub<v1::ConsumeRequest, grpc::ByteBuffer>;

// One Consume call: hands everything that happens to its Session, on the poller's thread. Made and destroyed by the
// Session's thread, which waits for Session::OnDone() in between.
class Stream final {
 public:
  Stream(std::shared_ptr<Session> session, ConsumeStub* stub, Poller* poller);
  Stream(const Stream&) = delete;

  // The first write must follow: it carries the beginning of the call.
  void Start();
  // Does what Outbox::Next() said. Never two at a time.
  void Perform(Outbox::Step step, const v1::ConsumeRequest& request);
  // Reads the next response. Never two at a time.
  void Read();
  // No more calls of Perform() and Read() will come, and none is under way.
  void Release();
  void Cancel() { context_.TryCancel(); }

 private:
  class Tag final : public Poller::Tag {
   public:
    using Reaction = void (Stream::*)(bool ok);
    Tag(Stream* stream, Reaction reaction) : stream_(stream), reaction_(reaction) {}
    void OnComplete(bool ok) override { (stream_->*reaction_)(ok); }

   private:
    Stream* const stream_;
    const Reaction reaction_;
  };

  // The poller's thread.
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);

  const std::shared_ptr<Session> session_;
  grpc::ClientContext context_;
  Tag read_tag_{this, &Stream::OnRead};
  Tag write_tag_{this, &Stream::OnWritten};
  Tag finish_tag_{this, &Stream::OnFinished};
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::ConsumeRequest, grpc::ByteBuffer>> call_;
  grpc::ByteBuffer response_;  // being read
  grpc::Status status_;
  grpc::Status malformed_;  // why this side has ended it
};

}  // namespace sluice::internal
