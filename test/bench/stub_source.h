#pragma once

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/event_loop.h"
#include "base/mailbox.h"
#include "core/message_source.h"

namespace sluice::bench {

// JetStream at no cost: a thread that answers each pull at once, the way cnats's thread would: one allocation a
// message, each pushed into a mailbox, the loop woken once per burst. Verdicts vanish. So what is measured is the
// daemon.
class StubSource final : public core::MessageSource {
 public:
  // `ack_wait`: as the consumer's configuration would say.
  StubSource(base::EventLoop* loop, size_t payload_bytes, absl::Duration ack_wait);
  ~StubSource() override;

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

 private:
  core::ConsumerInfo Info() const;
  void Produce();
  void Hand();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return wanted_ > 0 || stopping_; }

  base::EventLoop* const loop_;
  const size_t payload_bytes_;
  const absl::Duration ack_wait_;
  const std::string reply_ = "$JS.ACK.BENCH.bench.1.123456789.123456789.1700000000000000000.0";
  Listener* listener_ = nullptr;      // loop only
  std::vector<core::Message> batch_;  // loop only
  base::Mailbox<core::Message> mailbox_;
  uint64_t sequence_ = 0;  // the producer's

  absl::Mutex mutex_;
  uint64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread producer_;
};

}  // namespace sluice::bench
