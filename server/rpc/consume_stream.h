#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/event_loop.h"
#include "core/app_stream.h"
#include "core/daemon.h"
#include "core/delivery_token.h"
#include "core/session.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "rpc/open_calls.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {

// What the streams of a server have in common. Owned by Server.
struct ConsumeShared {
  base::EventLoop* const loop;
  core::Daemon* const daemon;  // loop only
  const std::string server;    // how the daemon names itself, as in "sluice/0.1.0"
  OpenCalls calls = {};        // loop only
};

// One app: the reactor of ConsumerService.Consume, and core's AppStream.
//
// gRPC's threads call the reactions (On...), which translate and post; everything else happens on the loop. OnDone is
// the last reaction and the loop keeps the order, so the task that OnDone posts is the last to see the stream, and
// deletes it. gRPC calls OnDone only after FinishCall(), so a stream whose phase is before FINISHED is alive in gRPC
// too.
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
class ConsumeStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public core::AppStream,
                            public OpenCalls::Call {
 public:
  // On gRPC's thread. `context` lives until OnDone.
  static ConsumeStream* Start(grpc::CallbackServerContext* context, ConsumeShared* shared);

  // --- reactions: gRPC's threads ---
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // --- core::AppStream ---
  bool writable() const override { return !writing_ && notices_.empty(); }
  void Deliver(absl::Span<const core::Delivery* const> batch) override;
  void Tell(core::Notice notice) override;
  void Finish(absl::Status status) override;

  // --- OpenCalls::Call ---
  void Abort(const absl::Status& reason) override;

 private:
  enum class Phase { kAwaitingOpen, kOpen, kClosing, kEnding, kFinished };
  enum class Read { kRequest, kRubbish, kEnd, kGone };

  // Notices that wait for an app that does not read. With as many no further request is read, which bounds them: what
  // core tells without being asked is bounded by what the app holds, and of states only the last one waits.
  static constexpr size_t kMaxNotices = 4;

  ConsumeStream(grpc::CallbackServerContext* context, ConsumeShared* shared);

  void ChangePhase(Phase to);

  void ReadNext();  // not while a request is being applied
  void HandleRead(Read read);
  absl::Status Apply();
  absl::Status ApplyOpen();
  absl::Status ApplyInSession();
  void HandleEndOfRequests();

  void Write(const v1::ConsumeResponse& response);
  void HandleWrite(bool ok);
  void WriteNext();

  // The app is gone: nothing more can be written.
  void HandleGone();
  // Ends the stream from this side: to core it is broken.
  void End(const absl::Status& status);
  void FinishCall();

  grpc::CallbackServerContext* const context_;
  ConsumeShared* const shared_;

  // gRPC's while reading_ is true, else the loop's.
  grpc::ByteBuffer incoming_;
  v1::ConsumeRequest request_;
  // gRPC's while writing_ is true, else the loop's.
  grpc::ByteBuffer outgoing_;

  // Loop only.
  Phase phase_ = Phase::kAwaitingOpen;
  core::Session* session_ = nullptr;  // while OPEN
  bool reading_ = false;              // a StartRead() has not been answered
  bool writing_ = false;              // a StartWrite() has not been answered
  bool gone_ = false;
  std::deque<core::Notice> notices_;
  std::vector<core::SettleRun> runs_;  // of one request; kept for its capacity
  grpc::Status status_;                // from ENDING
};

}  // namespace sluice::rpc
