#pragma once

#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/app_stream.h"
#include "core/session.h"
#include "grpcpp/support/async_stream.h"
#include "grpcpp/support/byte_buffer.h"
#include "rpc/server_call.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

class ConsumerService;

// One app: a call of ConsumerService.Consume, and core's AppStream. See ServerCall for threads and lifetime: gRPC does
// not let go of it before FinishCall(), so a stream whose phase is before FINISHED is alive in gRPC too.
//
// Reads and writes serialized bytes: only so can a request that does not parse be told from the end of the requests.
//
//   AWAITING_OPEN ---Open---> OPEN ---half-close---> CLOSING
//         |                    |                        |
//         |  refused, cancel   |  core's Finish,        |  core's Finish
//         |                    |  violation, cancel     |
//         '------------------> ENDING <-----------------'
//                                |
//                                '--all written--> FINISHED
class ConsumeStream final : public ServerCall, public core::AppStream {
 public:
  // Asks gRPC for a call.
  static void AskFor(ConsumerService* service, CallShared* shared);

  // --- core::AppStream ---
  bool writable() const override { return !writing_ && notices_.empty(); }
  void Deliver(absl::Span<const core::Delivery* const> batch) override;
  void Tell(core::Notice notice) override;
  void Finish(absl::Status status) override;

  // --- OpenCalls::Call ---
  void Abort(const absl::Status& reason) override { End(reason); }

 private:
  enum class Phase { kAwaitingOpen, kOpen, kClosing, kEnding, kFinished };
  enum class Read { kRequest, kRubbish, kEnd, kGone };

  // Notices that wait for an app that does not read. With as many no further request is read, which bounds them: what
  // core tells without being asked is bounded by what the app holds, and of states only the last one waits.
  static constexpr size_t kMaxNotices = 4;

  ConsumeStream(ConsumerService* service, CallShared* shared);

  // --- ServerCall ---
  void AskForNext() override;
  void Begin() override { ReadNext(); }
  void OnGone() override;  // nothing more can be written

  // Reactions, on gRPC's side.
  void OnRead(bool ok);
  void OnWritten(bool ok);

  void ChangePhase(Phase to);

  void ReadNext();  // not while a request is being applied
  void HandleRead(Read read);
  absl::Status Apply();
  absl::Status ApplyOpen();
  absl::Status ApplyInSession();
  void HandleEndOfRequests();

  void Write(const v1::ConsumeResponse& response);
  void WriteOutgoing();
  void HandleWrite(bool ok);
  void WriteNext();

  // Ends the stream from this side: to core it is broken.
  void End(const absl::Status& status);
  void FinishCall();

  ConsumerService* const service_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> call_;
  Reaction<ConsumeStream> read_{this, &ConsumeStream::OnRead};
  Reaction<ConsumeStream> written_{this, &ConsumeStream::OnWritten};

  // gRPC's while reading_ is true, else the loop's.
  grpc::ByteBuffer incoming_;
  v1::ConsumeRequest request_;
  // gRPC's while writing_ is true, else the loop's.
  grpc::ByteBuffer outgoing_;

  // Loop only.
  Phase phase_ = Phase::kAwaitingOpen;
  core::Session* session_ = nullptr;  // while OPEN
  bool reading_ = false;              // a Read() has not been answered
  bool writing_ = false;              // a Write() has not been answered
  bool gone_ = false;
  std::deque<core::Notice> notices_;
  std::vector<core::SettleRun> runs_;  // of one request; kept for its capacity
  grpc::Status status_;                // from ENDING
};

}  // namespace sluice::rpc
