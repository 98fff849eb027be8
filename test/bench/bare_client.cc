#include "test/bench/bare_client.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::bench {
namespace {

using Clock = std::chrono::steady_clock;

class BareStream final : public grpc::ClientBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  BareStream(v1::ConsumerService::Stub* stub, uint64_t count, uint32_t credit, bool confirm)
      : count_(count), confirm_(confirm) {
    stub->async()->Consume(&context_, this);
    v1::Open* open = writing_.mutable_open();
    open->set_consumer("bench");
    open->mutable_credit()->set_messages(credit);
    open->set_confirm_settlements(confirm);
    busy_ = true;
    StartWrite(&writing_);
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::unique_lock lock(mutex_);
    const auto& deliveries = response_.deliveries().deliveries();
    if (received_ == 0) first_ = Clock::now();
    v1::SettleRun* run = nullptr;
    for (const v1::Delivery& delivery : deliveries) {
      if (run == nullptr) run = NextRun();
      run->add_ids(delivery.id());
    }
    received_ += deliveries.size();
    for (const v1::SettleResult& result : response_.settle_results().results()) {
      if (result.outcome() == v1::SettleResult::OUTCOME_CONFIRMED) confirmed_ += result.ids_size();
    }
    if ((confirm_ ? confirmed_ : received_) >= count_) {
      last_ = Clock::now();
      lock.unlock();
      context_.TryCancel();
      return;
    }
    Write();
    lock.unlock();
    StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    busy_ = false;
    if (ok) Write();
  }

  void OnDone(const grpc::Status& status) override {
    std::unique_lock lock(mutex_);
    if ((confirm_ ? confirmed_ : received_) < count_) {
      std::fprintf(stderr, "the stream ended early: %s\n", status.error_message().c_str());
      std::exit(70);
    }
    done_ = true;
    changed_.notify_all();
  }

  double Await() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
    return std::chrono::duration<double>(last_ - first_).count();
  }

 private:
  v1::SettleRun* NextRun() {
    v1::Settle* settle = queued_.mutable_settle();
    if (settle->runs_size() > 0) return settle->mutable_runs(0);
    v1::SettleRun* run = settle->add_runs();
    run->mutable_ack();
    return run;
  }
  void Write() {
    if (busy_ || queued_.settle().runs_size() == 0) return;
    std::swap(writing_, queued_);
    queued_.Clear();
    busy_ = true;
    StartWrite(&writing_);
  }

  grpc::ClientContext context_;
  const uint64_t count_;
  const bool confirm_;
  v1::ConsumeResponse response_;
  std::mutex mutex_;
  std::condition_variable changed_;
  v1::ConsumeRequest writing_;
  v1::ConsumeRequest queued_;
  bool busy_ = false;
  bool done_ = false;
  uint64_t received_ = 0;
  uint64_t confirmed_ = 0;
  Clock::time_point first_;
  Clock::time_point last_;
};

}  // namespace

double ConsumeBare(const std::string& address, uint64_t count, uint32_t credit, bool confirm) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  const auto stub = v1::ConsumerService::NewStub(channel);
  BareStream stream(stub.get(), count, credit, confirm);
  return stream.Await();
}

}  // namespace sluice::bench
