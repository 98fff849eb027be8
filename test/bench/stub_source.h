#pragma once

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/event_loop.h"
#include "base/mailbox.h"
#include "core/consumer_options.h"
#include "core/message_source.h"

namespace sluice::bench {

class StubSource;

// The thread that brings what every consumer gets, as the one that reads cnats's connection.
class StubConnection {
 public:
  StubConnection();
  ~StubConnection();

  void Ask(StubSource* source, uint64_t messages);
  // Nothing comes any more. Before the sources go.
  void Stop();

 private:
  struct Pulled {
    StubSource* source;
    uint64_t messages;
  };

  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !pulled_.empty() || stopping_; }

  absl::Mutex mutex_;
  std::vector<Pulled> pulled_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// JetStream at no cost: each pull is answered at once, the way cnats's thread would: one allocation a message, each
// pushed into a mailbox, the loop woken once per burst. Verdicts vanish. So what is measured is the daemon.
class StubSource final : public core::MessageSource {
 public:
  // `ack_wait`: as the consumer's configuration would say.
  StubSource(base::EventLoop* loop, StubConnection* connection, const core::ConsumerOptions& consumer,
             size_t payload_bytes, absl::Duration ack_wait);

  void Start(Listener* listener) override;
  void Attach() override;
  void Pull(const core::PullRequest& request) override;
  void Settle(absl::string_view, const core::Settlement&) override {}
  void Confirm(absl::string_view, const core::Settlement&, uint64_t tag) override;
  void Fence(absl::string_view, uint64_t tag) override;
  void RequestInfo() override;
  void RenewPin(absl::string_view, uint64_t id) override;
  void Unpin() override;
  void CloseIntake() override;

  // On the connection's thread.
  void Produce(uint64_t messages);

 private:
  static constexpr uint64_t kFirst = 1'000'000'000;
  static constexpr size_t kDigits = 10;

  core::ConsumerInfo Info() const;
  core::Message Next();
  void Hand();

  base::EventLoop* const loop_;
  StubConnection* const connection_;
  const size_t payload_bytes_;
  const absl::Duration ack_wait_;
  Listener* listener_ = nullptr;      // loop only
  std::vector<core::Message> batch_;  // loop only
  base::Mailbox<core::Message> mailbox_;

  // The connection's thread's. The ack subject is as the server makes it, with the sequence in it two times, which is
  // so large that its digits stay as many, and are counted up in place.
  uint64_t sequence_ = kFirst;
  std::string reply_;
  char* stream_digits_;
  char* consumer_digits_;
  uint16_t numbers_at_;
};

}  // namespace sluice::bench
