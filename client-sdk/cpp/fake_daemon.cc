#include "client-sdk/cpp/fake_daemon.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace sluice::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

std::string Describe(const v1::SettleRun& run) {
  if (run.has_ack()) return "ack";
  if (run.has_in_progress()) return "in_progress";
  if (run.has_term()) return run.term().reason().empty() ? "term" : "term " + run.term().reason();
  if (!run.has_nak()) return "none";
  const auto& delay = run.nak().delay();
  return run.nak().has_delay() ? "nak " + std::to_string(delay.seconds() * 1000 + delay.nanos() / 1'000'000) : "nak";
}

}  // namespace

void FakeStream::Await(const char* what, const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, condition)) throw std::runtime_error(std::string("never came: ") + what);
}

const v1::Open& FakeStream::AwaitOpen() {
  Await("Open", [this] { return opened_; });
  return open_;
}

std::vector<FakeStream::Verdict> FakeStream::AwaitVerdicts(size_t count) {
  Await("verdicts", [&] { return verdicts_.size() >= count; });
  std::lock_guard lock(mutex_);
  return verdicts_;
}

v1::Drain FakeStream::AwaitDrain() {
  Await("Drain", [this] { return !drains_.empty(); });
  std::lock_guard lock(mutex_);
  return drains_.front();
}

void FakeStream::AwaitHalfClose() {
  Await("half-close", [this] { return half_closed_; });
}

void FakeStream::AwaitDone() {
  Await("the stream's end", [this] { return done_; });
}

size_t FakeStream::verdicts_before_drain() {
  std::lock_guard lock(mutex_);
  return verdicts_before_drain_;
}

size_t FakeStream::settle_requests() {
  std::lock_guard lock(mutex_);
  return settle_requests_;
}

uint32_t FakeStream::credit() {
  std::lock_guard lock(mutex_);
  return credit_;
}

std::map<std::string, int> FakeStream::Count() {
  std::lock_guard lock(mutex_);
  std::map<std::string, int> counts;
  for (const Verdict& verdict : verdicts_) ++counts[verdict.what];
  return counts;
}

void FakeStream::Write(v1::ConsumeResponse response) {
  std::lock_guard lock(mutex_);
  writes_.push_back(std::move(response));
  WriteNext();
}

void FakeStream::Opened(const std::map<uint64_t, uint64_t>& resumed) {
  v1::ConsumeResponse response;
  response.mutable_opened()->mutable_max_lease()->set_seconds(600);
  for (const auto& [held_id, id] : resumed) {
    v1::Resumed& one = *response.mutable_opened()->add_resumed();
    one.set_held_id(held_id);
    one.set_id(id);
  }
  Write(std::move(response));
}

void FakeStream::Deliver(uint64_t first, int count, const std::function<void(v1::Delivery&)>& change) {
  v1::ConsumeResponse response;
  for (uint64_t id = first; id < first + count; ++id) {
    v1::Delivery& delivery = *response.mutable_deliveries()->add_deliveries();
    delivery.set_id(id);
    delivery.set_subject("orders." + std::to_string(id));
    delivery.set_data("data " + std::to_string(id));
    delivery.set_stream_sequence(id);
    delivery.set_consumer_sequence(id);
    delivery.set_num_delivered(1);
    delivery.mutable_timestamp()->set_seconds(id);
    if (change) change(delivery);
  }
  Write(std::move(response));
}

void FakeStream::Draining(v1::Draining::Reason reason) {
  v1::ConsumeResponse response;
  response.mutable_draining()->set_reason(reason);
  response.mutable_draining()->mutable_deadline()->set_seconds(time(nullptr) + 30);
  Write(std::move(response));
}

void FakeStream::Drained(const v1::DrainReport& report) {
  v1::ConsumeResponse response;
  *response.mutable_drained()->mutable_report() = report;
  Write(std::move(response));
  Finish(grpc::Status::OK);
}

void FakeStream::Finish(grpc::Status status) {
  std::lock_guard lock(mutex_);
  if (finish_) return;
  finish_ = std::make_unique<grpc::Status>(std::move(status));
  WriteNext();
}

void FakeStream::WriteNext() {
  if (writing_ || finished_) return;
  if (!writes_.empty()) {
    writing_ = true;
    StartWrite(&writes_.front());
  } else if (finish_) {
    finished_ = true;
    grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>::Finish(*finish_);
  }
}

void FakeStream::OnReadDone(bool ok) {
  std::lock_guard lock(mutex_);
  if (!ok) {
    half_closed_ = !context_->IsCancelled();
    if (!finish_) finish_ = std::make_unique<grpc::Status>();
    WriteNext();
  } else {
    if (request_.has_open()) {
      open_ = request_.open();
      credit_ = open_.credit().messages();
      opened_ = true;
    }
    if (request_.has_credit()) credit_ = request_.credit().messages();
    if (request_.has_settle()) Record(request_.settle());
    if (request_.has_drain()) {
      if (drains_.empty()) verdicts_before_drain_ = verdicts_.size();
      drains_.push_back(request_.drain());
    }
    StartRead(&request_);
  }
  changed_.notify_all();
}

void FakeStream::Record(const v1::Settle& settle) {
  ++settle_requests_;
  for (const v1::SettleRun& run : settle.runs()) {
    for (const uint64_t id : run.ids()) verdicts_.push_back({id, Describe(run)});
  }
}

void FakeStream::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  writing_ = false;
  writes_.pop_front();
  if (!ok) writes_.clear();
  WriteNext();
}

void FakeStream::OnDone() {
  const std::shared_ptr<FakeStream> self = std::move(self_);
  std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

FakeDaemon::FakeDaemon() {
  char folder[] = "/tmp/sluice-client-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = folder;
  address_ = "unix://" + folder_ + "/sluice.sock";
  Start();
}

FakeDaemon::~FakeDaemon() {
  Kill();
  std::filesystem::remove_all(folder_);
}

void FakeDaemon::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("cannot listen on " + address_);
}

void FakeDaemon::Kill() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now());  // cancels the streams; their failed reads finish them
  server_->Wait();
  server_.reset();
}

std::shared_ptr<FakeStream> FakeDaemon::Accept() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [this] { return !accepted_.empty(); })) {
    throw std::runtime_error("never came: a stream");
  }
  auto stream = std::move(accepted_.front());
  accepted_.pop_front();
  lock.unlock();
  stream->AwaitOpen();
  return stream;
}

grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* FakeDaemon::Consume(
    grpc::CallbackServerContext* context) {
  auto stream = std::make_shared<FakeStream>();
  stream->self_ = stream;
  stream->context_ = context;
  stream->StartRead(&stream->request_);
  std::lock_guard lock(mutex_);
  accepted_.push_back(stream);
  changed_.notify_all();
  return stream.get();
}

}  // namespace sluice::testing
