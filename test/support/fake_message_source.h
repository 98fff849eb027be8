#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/message_source.h"

namespace sluice::test {

// A durable consumer that delivers what the test publishes, byte for byte, and records the verdicts on it. No
// redelivery, no faults, no latency: for tests of what lies above core, where ModelSource would be too true. Loop only.
class FakeMessageSource final : public core::MessageSource {
 public:
  struct Content {
    std::string subject;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string data;
  };
  struct Verdict {
    uint64_t stream_sequence;
    core::Verdict verdict;
    absl::Duration nak_delay;
    std::string term_reason;
  };

  explicit FakeMessageSource(base::Timers* timers);

  // --- for the test ---
  void Publish(Content content);
  const std::vector<Verdict>& verdicts() const { return verdicts_; }  // in their order
  uint64_t published() const { return last_sequence_; }

  // --- core::MessageSource ---
  void Start(Listener* listener) override;
  void Attach() override;
  void Pull(const core::PullRequest& request) override;
  void Settle(absl::string_view reply, const core::Settlement& settlement) override;
  void Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) override;
  void Fence(absl::string_view reply, uint64_t tag) override;
  void RequestInfo() override;
  void RenewPin(absl::string_view pin_id, uint64_t id) override;
  void Unpin() override;
  void CloseIntake() override;

 private:
  void Soon(absl::AnyInvocable<void()> action);
  void Deliver();
  void EndPull();
  void ArmHeartbeat();

  base::Timers* const timers_;
  const core::ConsumerInfo info_;
  Listener* listener_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what runs soon holds it weakly

  uint64_t last_sequence_ = 0;
  std::deque<core::Message> waiting_;
  core::PullRequest pull_;  // batch 0: none is open
  base::Timer expires_;
  base::Timer heartbeat_;
  std::vector<Verdict> verdicts_;
};

}  // namespace sluice::test
