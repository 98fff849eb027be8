#include "client-sdk/cpp/frame.h"

#include <utility>

#include "client-sdk/cpp/session.h"

namespace sluice::internal {
namespace {

// 256 small deliveries take about 56 KiB: in few blocks, yet little for a frame of one.
google::protobuf::ArenaOptions FrameArena() {
  google::protobuf::ArenaOptions options;
  options.start_block_size = 1 << 10;
  options.max_block_size = 32 << 10;
  return options;
}

}  // namespace

Frame::Frame(std::shared_ptr<Session> session)
    : session(std::move(session)),
      arena(FrameArena()),
      response(google::protobuf::Arena::CreateMessage<v1::ConsumeResponse>(&arena)) {}

Frame::~Frame() { session->Forget(*this); }

}  // namespace sluice::internal
