#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::testing {

// The daemon's end of one Consume stream, played by a test. Methods that wait give up after 20 s and fail the test.
class FakeStream final : public grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  struct Verdict {
    uint64_t id;
    std::string what;  // "ack", "nak", "nak 500", "term why", "in_progress"
    bool operator==(const Verdict&) const = default;
  };

  // --- what the app sent ---
  const v1::Open& AwaitOpen();
  std::vector<Verdict> AwaitVerdicts(size_t count);  // at least so many
  v1::Drain AwaitDrain();
  size_t verdicts_before_drain();  // once there was a drain
  void AwaitHalfClose();
  void AwaitDone();                    // the app or Finish() has ended it
  size_t settle_requests();            // so far
  uint32_t credit();                   // messages; the last that was given
  std::map<std::string, int> Count();  // verdicts so far, by kind

  // --- what the app gets; in order ---
  void Write(v1::ConsumeResponse response);
  // `resumed`: old id -> new id.
  void Opened(const std::map<uint64_t, uint64_t>& resumed = {});
  // Ids and stream sequences first .. first + count - 1 in one frame, stored at `sequence` seconds.
  void Deliver(uint64_t first, int count = 1, const std::function<void(v1::Delivery&)>& change = {});
  void Draining(v1::Draining::Reason reason);
  void Drained(const v1::DrainReport& report = {});  // and ends the stream OK
  void Finish(grpc::Status status);

 private:
  friend class FakeDaemon;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void Record(const v1::Settle& settle);
  void WriteNext();  // with the mutex
  void Await(const char* what, const std::function<bool()>& condition);

  std::shared_ptr<FakeStream> self_;  // while gRPC has it
  grpc::CallbackServerContext* context_ = nullptr;
  v1::ConsumeRequest request_;

  std::mutex mutex_;
  std::condition_variable changed_;
  v1::Open open_;
  bool opened_ = false;
  std::vector<Verdict> verdicts_;
  size_t settle_requests_ = 0;
  uint32_t credit_ = 0;
  std::vector<v1::Drain> drains_;
  size_t verdicts_before_drain_ = 0;
  bool half_closed_ = false;
  bool done_ = false;
  std::deque<v1::ConsumeResponse> writes_;
  bool writing_ = false;
  std::unique_ptr<grpc::Status> finish_;
  bool finished_ = false;
};

// A daemon without NATS, on a Unix socket of its own, that does what the test says.
class FakeDaemon final : private v1::ConsumerService::CallbackService {
 public:
  FakeDaemon();
  ~FakeDaemon() override;

  // Dies, with all its streams; and comes back at the same address.
  void Kill();
  void Start();

  const std::string& address() const { return address_; }
  std::shared_ptr<FakeStream> Accept();  // the next stream that was opened

 private:
  grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* Consume(grpc::CallbackServerContext*) override;

  std::string folder_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<FakeStream>> accepted_;
};

}  // namespace sluice::testing
