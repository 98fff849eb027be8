#include "test/bench/floor_service.h"

#include <algorithm>
#include <mutex>
#include <string>

namespace sluice::bench {
namespace {

constexpr size_t kMostFrame = 256;             // messages, as the daemon's
constexpr size_t kMostFrameBytes = 256 << 10;  // the same
constexpr size_t kTokenBytes = 83;             // what the stub daemon's have

// Answers like the daemon, at the least that this can cost; with something as long as a token, for those who ask for
// one.
class FloorStream final : public grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  FloorStream(size_t payload_bytes, size_t window)
      : window_(window),
        frame_(std::clamp<size_t>(kMostFrameBytes / std::max<size_t>(payload_bytes, 1), 1, kMostFrame)) {
    for (size_t i = 0; i < frame_; ++i) {
      v1::Delivery* delivery = response_.mutable_deliveries()->add_deliveries();
      delivery->set_subject("bench.subject");
      delivery->set_data(std::string(payload_bytes, 'x'));
      delivery->set_num_delivered(1);
      delivery->mutable_timestamp()->set_seconds(1'700'000'000);
    }
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    std::unique_lock lock(mutex_);
    if (!ok) {
      ended_ = true;
      if (!writing_) Finish(grpc::Status::OK);
      return;
    }
    if (request_.has_open()) Open();
    for (const v1::SettleRun& run : request_.settle().runs()) unanswered_ -= run.ids_size();
    Write();
    lock.unlock();
    StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (ended_ || !ok) {
      if (ended_) Finish(grpc::Status::OK);
      return;
    }
    Write();
  }

  void OnDone() override { delete this; }

 private:
  void Open() {
    open_ = true;
    if (!request_.open().resumable()) return;
    for (v1::Delivery& delivery : *response_.mutable_deliveries()->mutable_deliveries()) {
      delivery.set_token(std::string(kTokenBytes, 't'));
    }
  }

  void Write() {
    if (!open_ || writing_ || ended_ || unanswered_ + frame_ > window_) return;
    for (v1::Delivery& delivery : *response_.mutable_deliveries()->mutable_deliveries()) {
      ++sequence_;
      delivery.set_id(sequence_);
      delivery.set_stream_sequence(sequence_);
      delivery.set_consumer_sequence(sequence_);
    }
    unanswered_ += frame_;
    writing_ = true;
    StartWrite(&response_);
  }

  const size_t window_;
  const size_t frame_;  // messages
  std::mutex mutex_;
  bool open_ = false;
  bool writing_ = false;
  bool ended_ = false;
  size_t unanswered_ = 0;
  uint64_t sequence_ = 0;
  v1::ConsumeRequest request_;
  v1::ConsumeResponse response_;
};

}  // namespace

grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* FloorService::Consume(grpc::CallbackServerContext*) {
  return new FloorStream(payload_bytes_, window_);
}

}  // namespace sluice::bench
