#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/consumer.h"
#include "core/dead_letter_sink.h"
#include "core/delivery_token.h"
#include "core/drain_report.h"
#include "core/message_source.h"
#include "core/session.h"

namespace sluice::core {

// All consumers of the process, and the drain of the whole: what main, the signals and AdminService talk to. Loop only.
//
//   SERVING --Drain(), Terminate()--> DRAINING --all consumers CLOSED--> DRAINED --Terminate()--> exit
class Daemon final : private Consumer::Owner {
 public:
  enum class Phase { kServing, kDraining, kDrained };

  struct Report {
    DrainReport total;
    std::vector<std::pair<std::string, DrainReport>> consumers;
  };
  using DrainedCallback = absl::AnyInvocable<void(const Report&)>;

  explicit Daemon(base::Timers* timers) : timers_(timers) {}

  // Before the first consumer, and outlives the daemon. Without, no delivery has a token, and every token is refused.
  void SetTokens(const TokenCodec* tokens) { tokens_ = tokens; }
  const TokenCodec* tokens() const { return tokens_; }
  // Before the first stream; the order is that of the configuration.
  // `sink` takes the consumer's dead letters; null: there are none.
  void AddConsumer(const ConsumerOptions& options, std::unique_ptr<MessageSource> source,
                   std::unique_ptr<DeadLetterSink> sink = nullptr);

  // Opens a session for an app stream, which has been told `Opened` when this returns. Errors are for the app:
  // NOT_FOUND names the known consumers, RESOURCE_EXHAUSTED, UNAVAILABLE while draining (but not to an app that comes
  // back for what it holds).
  absl::StatusOr<Session*> Open(const OpenRequest& request, AppStream* stream);

  // Starts the drain; false if it runs or is over already, which changes nothing.
  bool Drain(absl::Duration timeout);
  // SIGTERM: starts the drain if it does not run; ends all waiting for apps as soon as no app stream is left. When the
  // drain is over, `exit` is called, at once if it is over already. A second call changes nothing.
  void Terminate(absl::Duration timeout, DrainedCallback exit);
  // Called when the drain starts; at once if it has.
  void WhenDraining(absl::AnyInvocable<void()> callback);
  // Called when the drain is over; at once if it is.
  void WhenDrained(DrainedCallback callback);

  Phase phase() const { return phase_; }
  absl::Time drain_deadline() const { return deadline_; }  // while draining
  const std::vector<std::unique_ptr<Consumer>>& consumers() const { return consumers_; }
  Consumer* FindConsumer(absl::string_view name);  // null: unknown
  absl::Status UnknownConsumer(absl::string_view name) const;

 private:
  // Consumer::Owner
  void OnStreamEnded() override;
  void OnDrained() override;

  base::Timers* const timers_;
  const TokenCodec* tokens_ = nullptr;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  Phase phase_ = Phase::kServing;
  bool terminating_ = false;
  absl::Time deadline_;
  Report report_;
  std::vector<absl::AnyInvocable<void()>> when_draining_;
  std::vector<DrainedCallback> when_drained_;
};

}  // namespace sluice::core
