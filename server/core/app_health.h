#pragma once

#include <cstdint>
#include <deque>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/delivery.h"

namespace sluice::core {

// When the apps of a consumer count as broken.
struct AppHealthPolicy {
  uint32_t failures = 0;  // so many in a row; 0: never
  absl::Duration window = absl::Seconds(30);
};

// Whether the apps of one consumer work at all. After too many failures in a row they are given probes only, one
// message at a time, until one succeeds: an app whose database is away, or that crashes at every start, shall not burn
// through the attempts of a whole backlog. Owned by Consumer. Loop only.
//
// A failure is a NAK, a lease that ended, and a stream that broke with messages in its hands (one, however many they
// were); a success is an ACK. A TERM is neither: it speaks of the message.
class AppHealth {
 public:
  // From the end of one probe to the next one.
  static constexpr absl::Duration kBetweenProbes = absl::Seconds(1);

  // `on_change` is called when probing begins or ends, `on_probe_due` when there may be another one.
  AppHealth(base::Timers* timers, const AppHealthPolicy& policy, absl::AnyInvocable<void()> on_change,
            absl::AnyInvocable<void()> on_probe_due);

  void OnFailure();
  void OnSuccess();

  bool probing() const { return probing_; }
  bool may_probe() const { return probing_ && probe_ == nullptr && !next_probe_.pending(); }
  void BeginProbe(const Delivery* delivery) { probe_ = delivery; }
  // It is no longer with the app, whatever the reason.
  void OnLeft(const Delivery* delivery);

 private:
  base::Timers* const timers_;
  const AppHealthPolicy policy_;
  absl::AnyInvocable<void()> on_change_;
  absl::AnyInvocable<void()> on_probe_due_;

  std::deque<absl::Time> failures_;  // the last ones in a row, as many as matter
  bool probing_ = false;
  const Delivery* probe_ = nullptr;  // with the app
  base::Timer next_probe_;
};

}  // namespace sluice::core
