#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/backoff.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/consumer_options.h"
#include "core/message_source.h"
#include "core/pull_window.h"

namespace sluice::core {

class Pin;

// What the server has beyond what is here, as of the last delivery or CONSUMER.INFO; the latter is asked for each
// kLookEvery where nothing else does.
struct Backlog {
  uint64_t num_pending = 0;      // not delivered yet
  uint64_t num_ack_pending = 0;  // delivered to any pod, without a verdict; of CONSUMER.INFO alone
};

// The way in: attaches to the durable, keeps one pull open while apps want messages, takes every answer the server can
// give to it, and closes behind the last message. Owned by Consumer. Loop only.
//
//   OFFLINE <--> ATTACHING --> READY <--> PULLING     (any state but CLOSING and later --> OFFLINE on disconnect)
//                 ^  |           |           |
//                 |  v           '-----------+--> ATTACHING, when the consumer seems gone
//                WAITING (backoff)
//
//   Close(): --> QUIESCING (the open pull ends) --> CLOSING (subscription drained) --> FENCING (CONSUMER.INFO) -->
//   CLOSED
//
// The order of closing is the heart of the drain: an UNSUB while a pull is open lets the server send a batch to nobody,
// which then waits for the ack wait; and before 2.10.16 a stale pull swallows a redelivery unless CONSUMER.INFO purges
// it.
class Intake final : public MessageSource::Listener {
 public:
  // 500 pods ask 17 times a second.
  static constexpr absl::Duration kLookEvery = absl::Seconds(30);

  class Owner {
   public:
    virtual ~Owner() = default;
    virtual Demand GetDemand() = 0;
    virtual uint64_t InFlightCount() = 0;
    // Takes the messages out of the span.
    virtual void OnArrivals(absl::Span<Message> batch) = 0;
    // No pull is open any more: a NAK cannot bounce. Called before the next one is opened.
    virtual void OnPullEnded() = 0;
    virtual void OnConfirmed(uint64_t tag, const absl::Status& status) = 0;
    virtual void OnConnection(bool connected) = 0;
    virtual void OnStateChanged(ConsumerState state, const std::string& detail) = 0;
  };

  Intake(base::Timers* timers, const ConsumerOptions& options, MessageSource* source, Owner* owner);

  // Of ordering: exclusive: whose pulls these are. Before Start().
  void SetPin(Pin* pin) { pin_ = pin; }
  void Start() { source_->Start(this); }

  // Opens a pull if the apps want messages and none is open.
  void MaybePull();

  // No new pull; `quiesced` is called when the open one has ended, `fenced` when no message can come any more; perhaps
  // at once. Bounded by the pull's `expires` and the time-outs of MessageSource. Once.
  void Close(absl::AnyInvocable<void()> quiesced, absl::AnyInvocable<void()> fenced);

  bool pull_is_open() const { return window_.is_open(); }
  // The last one; what comes now was sent after that, as who gives up a pull asks the server before the next one.
  absl::Time pull_opened() const { return pull_opened_; }
  bool connected() const { return connected_; }
  // Attached and connected, and not closing.
  bool ready() const { return state_ == State::kReady && connected_; }
  // CONSUMER.INFO for the Pin. Only while ready().
  void RequestInfo();
  const ConsumerInfo& info() const { return info_; }
  bool info_known() const { return info_known_; }
  uint64_t pulls() const { return pulls_; }
  const Backlog& backlog() const { return backlog_; }
  // All that the server had for redelivery at this time has been delivered, to us or to another pod: it goes before
  // what is new, and before a pull expires.
  absl::Time caught_up() const { return caught_up_; }

  // MessageSource::Listener
  void OnMessages(absl::Span<Message> batch) override;
  void OnPullStatus(const PullStatus& status) override;
  void OnAttached(const absl::StatusOr<ConsumerInfo>& info) override;
  void OnInfo(const absl::StatusOr<ConsumerInfo>& info) override;
  void OnConfirmed(uint64_t tag, const absl::Status& status) override { owner_->OnConfirmed(tag, status); }
  void OnIntakeClosed() override;
  void OnUnpinned(const absl::Status& status) override;
  void OnConnection(bool connected) override;

 private:
  enum class State { kOffline, kAttaching, kWaiting, kReady, kQuiescing, kClosing, kFencing, kClosed };

  bool closing() const { return state_ >= State::kQuiescing; }
  void Attach();
  void AttachLater(ConsumerState told, const std::string& detail);
  void SetInfo(const ConsumerInfo& info);
  void LookLater();
  void OpenPull(const Demand& demand);
  void PullLater();
  void ExpectTheRest();
  void OnPullOver();
  bool MayPull() const { return state_ == State::kReady && !retry_.pending() && !window_.is_open() && !handing_over_; }
  void EndPull();
  void GoOn();
  void WatchPull();
  void CloseWhenQuiet();
  void FinishClose();
  void Tell(ConsumerState state, const std::string& detail);
  void TellServing();

  base::Timers* const timers_;
  const ConsumerOptions& options_;
  MessageSource* const source_;
  Owner* const owner_;
  Pin* pin_ = nullptr;  // null: not ordering: exclusive

  State state_ = State::kOffline;
  bool connected_ = false;
  bool attach_running_ = false;
  ConsumerState told_ = ConsumerState::kNatsDown;
  ConsumerInfo info_;
  bool info_known_ = false;
  Backlog backlog_;
  PullWindow window_;
  uint64_t pulls_ = 0;
  uint64_t infos_ = 0;                             // asked and not answered
  absl::Time pull_opened_ = absl::InfinitePast();  // the last one
  absl::Time caught_up_ = absl::InfinitePast();
  bool handing_over_ = false;  // the last messages of a pull: it ends with the owner's having them

  base::Timer refill_;                               // by when a small refill is asked for all the same
  base::Timer retry_;                                // the next Attach or Pull after a backoff
  base::Timer look_;                                 // at the backlog, and whether it is paused
  base::Timer pause_;                                // by when the server goes on
  base::Timer silence_;                              // the open pull: by when the server says something of it
  absl::Time pull_end_;                              // by when the open pull has ended for certain
  absl::Time lost_pull_end_ = absl::InfinitePast();  // the same of pulls that were given up in silence
  base::Backoff attach_backoff_;
  base::Backoff pull_backoff_;

  absl::AnyInvocable<void()> quiesced_;
  absl::AnyInvocable<void()> fenced_;
};

}  // namespace sluice::core
