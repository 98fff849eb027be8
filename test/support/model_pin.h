#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/message_source.h"

namespace sluice::test {

// The pinned client of a consumer on nats-server 2.11 or later (`priority_policy: pinned_client`, with one group), as
// nats-server's own code has it: which pull may take the next message, and how long that lasts. Loop only.
class ModelPin {
 public:
  // `timeout`: the consumer's priority_timeout; 0: it pins no client, and every pull may take messages. `ended` is
  // called when a pin has timed out.
  ModelPin(base::Timers* timers, absl::Duration timeout, absl::AnyInvocable<void()> ended)
      : timeout_(timeout), ended_(std::move(ended)), timer_(timers) {}

  bool applies() const { return timeout_ > absl::ZeroDuration(); }
  const std::string& id() const { return id_; }   // empty: nobody is pinned
  int connection() const { return connection_; }  // of the one that is

  // A pull arrives: it renews its own pin. False: it has another one than that in force, and is answered 423.
  bool Admit(absl::string_view pin_id);

  enum class Turn { kTakes, kPasses, kWrongPin };
  // Whose turn it is: of the waiting pulls, asked one after the other when there is a message. The first without a pin
  // gets one, if nobody is pinned.
  Turn Judge(int connection, core::PullRequest& pull);

  // By an unpin request, a new leader, a restart.
  void End();

 private:
  void Arm();

  const absl::Duration timeout_;
  absl::AnyInvocable<void()> ended_;
  base::Timer timer_;
  std::string id_;
  int connection_ = 0;
  uint64_t last_ = 0;
};

}  // namespace sluice::test
