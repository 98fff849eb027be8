#include "test/bench/bare_client.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "sluice/v1/consumer.grpc.pb.h"

namespace sluice::bench {
namespace {

// What all streams of one run count together.
class Total {
 public:
  // `warm_up`: messages that come before the measured ones.
  Total(uint64_t warm_up, uint64_t count, pid_t server) : warm_up_(warm_up), count_(count), stopwatch_(server) {}

  // True: that was all.
  bool Add(uint64_t messages) {
    std::lock_guard lock(mutex_);
    const uint64_t before = seen_;
    seen_ += messages;
    if (!started_ && seen_ > warm_up_) {
      started_ = true;
      base_ = before;
      stopwatch_.Start();
    }
    const bool is_last = before < warm_up_ + count_ && seen_ >= warm_up_ + count_;
    if (is_last) measured_ = stopwatch_.Stop(seen_ - base_);
    return is_last;
  }
  bool complete() {
    std::lock_guard lock(mutex_);
    return seen_ >= warm_up_ + count_;
  }
  // Valid when it is complete.
  const Measured& measured() const { return measured_; }

 private:
  const uint64_t warm_up_;
  const uint64_t count_;
  Stopwatch stopwatch_;
  std::mutex mutex_;
  uint64_t seen_ = 0;
  uint64_t base_ = 0;
  bool started_ = false;
  Measured measured_;
};

class BareStream final : public grpc::ClientBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  BareStream(v1::ConsumerService::Stub* stub, const std::string& consumer, const BareOptions& options, uint32_t credit,
             Total* total)
      : hold_(options.hold), confirm_(options.confirm), total_(total) {
    stub->async()->Consume(&context_, this);
    v1::Open* open = writing_.mutable_open();
    open->set_consumer(consumer);
    open->mutable_credit()->set_messages(credit);
    open->mutable_credit()->set_bytes(uint64_t{1} << 30);
    open->set_confirm_settlements(options.confirm);
    open->set_resumable(options.resumable);
    busy_ = true;
    StartWrite(&writing_);
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::unique_lock lock(mutex_);
    if (response_.has_opened()) {
      opened_ = true;
      changed_.notify_all();
    }
    const auto& deliveries = response_.deliveries().deliveries();
    for (const v1::Delivery& delivery : deliveries) Ack(delivery.id());
    uint64_t done = confirm_ ? 0 : deliveries.size();
    for (const v1::SettleResult& result : response_.settle_results().results()) {
      if (result.outcome() == v1::SettleResult::OUTCOME_CONFIRMED) done += result.ids_size();
    }
    if (done > 0) total_->Add(done);
    if (total_->complete()) {
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
    if (!total_->complete() && !cancelled_) {
      std::fprintf(stderr, "the stream ended early: %s\n", status.error_message().c_str());
      std::exit(70);
    }
    done_ = true;
    changed_.notify_all();
  }

  void AwaitOpened() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return opened_; });
  }
  void Cancel() {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    context_.TryCancel();
  }
  // The others of a run end with it.
  void AwaitDone() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

 private:
  void Ack(uint64_t id) {
    if (hold_ > 0) {
      held_.push_back(id);
      if (held_.size() <= hold_) return;
      id = held_.front();
      held_.pop_front();
    }
    v1::Settle* settle = queued_.mutable_settle();
    if (settle->runs_size() == 0) settle->add_runs()->mutable_ack();
    settle->mutable_runs(0)->add_ids(id);
  }
  void Write() {
    if (busy_ || queued_.settle().runs_size() == 0) return;
    std::swap(writing_, queued_);
    queued_.Clear();
    busy_ = true;
    StartWrite(&writing_);
  }

  grpc::ClientContext context_;
  const uint32_t hold_;
  const bool confirm_;
  Total* const total_;
  v1::ConsumeResponse response_;
  std::mutex mutex_;
  std::condition_variable changed_;
  v1::ConsumeRequest writing_;
  v1::ConsumeRequest queued_;
  std::deque<uint64_t> held_;
  bool busy_ = false;
  bool opened_ = false;
  bool cancelled_ = false;
  bool done_ = false;
};

// All streams of a run, with their connections.
class Streams {
 public:
  Streams(const BareOptions& options, uint32_t credit, Total* total) {
    for (const std::string& consumer : options.consumers) {
      for (uint32_t i = 0; i < options.streams; ++i) {
        if (stubs_.empty() || options.connections) Connect(options.address);
        streams_.push_back(std::make_unique<BareStream>(stubs_.back().get(), consumer, options, credit, total));
      }
    }
  }
  ~Streams() {
    for (auto& stream : streams_) stream->Cancel();
    for (auto& stream : streams_) stream->AwaitDone();
  }

  void AwaitOpened() {
    for (auto& stream : streams_) stream->AwaitOpened();
  }
  void AwaitFirstDone() { streams_.front()->AwaitDone(); }
  size_t size() const { return streams_.size(); }

 private:
  void Connect(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else gRPC shares the connection
    stubs_.push_back(v1::ConsumerService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
  }

  std::vector<std::unique_ptr<v1::ConsumerService::Stub>> stubs_;
  std::vector<std::unique_ptr<BareStream>> streams_;
};

}  // namespace

Measured ConsumeBare(const BareOptions& options, uint64_t count) {
  const uint64_t streams = options.consumers.size() * options.streams;
  Total total(options.hold * streams, count, options.server);
  {
    Streams all(options, options.credit + options.hold, &total);
    all.AwaitFirstDone();
  }
  return total.measured();
}

void IdleBare(const BareOptions& options, const sigset_t& signals) {
  Total none(0, 1, 0);
  Streams all(options, 0, &none);
  all.AwaitOpened();
  SayReady();
  AwaitSignal(signals);
}

}  // namespace sluice::bench
