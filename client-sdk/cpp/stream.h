#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/outbox.h"
#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::internal {

// One Consume call: hands everything that happens to its Session, on gRPC's threads. Made and destroyed by the
// Session's thread, which waits for Session::OnDone() in between; until then one hold keeps the call open for writes
// and reads from outside of gRPC's reactions.
class Stream final : public grpc::ClientBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  Stream(std::shared_ptr<Session> session, v1::ConsumerService::Stub* stub);

  void Start();
  // Does what Outbox::Next() said. Never two at a time.
  void Perform(Outbox::Step step, const v1::ConsumeRequest& request);
  // Reads the next response. Never two at a time.
  void Read();
  // No more calls of Perform() and Read() will come.
  void Release() { RemoveHold(); }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnWritesDoneDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  const std::shared_ptr<Session> session_;
  grpc::ClientContext context_;
  v1::ConsumerService::Stub* const stub_;
  std::shared_ptr<Frame> frame_;  // being read
};

}  // namespace sluice::internal
